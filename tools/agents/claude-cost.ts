/**
 * What one attempt has cost, from a total that counts the whole session. When the agent was killed, the session loses
 * what it had counted and starts again below: then the total is this attempt's own. Pure.
 */
export function attemptCost(total: number, sessionCostBefore: number): number {
  return total < sessionCostBefore ? total : total - sessionCostBefore;
}

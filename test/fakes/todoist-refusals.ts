/** Todoist's error objects, as its API answers with them. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: {
    error: string;
    error_code: number;
    error_extra: Record<string, unknown>;
    error_tag: string;
    http_code: number;
  };

  constructor(status: number, code: number, tag: string, error: string, extra: Record<string, unknown> = {}) {
    super(error);
    this.status = status;
    this.body = { error, error_code: code, error_extra: extra, error_tag: tag, http_code: status };
  }
}

export const unauthorized = (): Refusal => new Refusal(401, 2, 'AUTH_INVALID_TOKEN', 'Unauthorized');
export const notFound = (tag = 'NOT_FOUND'): Refusal =>
  new Refusal(404, 478, tag, 'Not found', { retry_after: 3 });
export const itemNotFound = (): Refusal => new Refusal(404, 22, 'ITEM_NOT_FOUND', 'Item not found');
export const badArgument = (argument: string, explanation: string): Refusal =>
  new Refusal(400, 20, 'INVALID_ARGUMENT_VALUE', 'Invalid argument value', { argument, explanation });
export const limitsReached = (retryAfter: number): Refusal =>
  new Refusal(429, 35, 'LIMITS_REACHED', 'Too many requests. Limits reached. Try again later', {
    event_id: 'b7f0c3',
    retry_after: retryAfter,
  });
export const projectFull = (): Refusal =>
  new Refusal(403, 49, 'MAX_ITEMS_LIMIT_REACHED', 'Maximum number of items per user project limit reached', {
    max_count: 300,
  });
export const tooLarge = (): Refusal =>
  new Refusal(413, 413, 'REQUEST_TOO_LARGE', 'Request body is too large');

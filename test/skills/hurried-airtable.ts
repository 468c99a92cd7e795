import { main } from '../../.claude/skills/airtable/cli/main.ts';

const limits = { attempts: 3, requestMs: 400, totalMs: 3_000, spacingMs: 1, penaltyMs: 100, backoffMs: 20 };
const { code, output, errors } = await main(process.argv.slice(2), limits);
process.stdout.write(output);
process.stderr.write(errors, () => process.exit(code));

#!/usr/bin/env node
/** The command `airtable`: parses nothing and decides nothing; see ../cli/main.ts. */
import { main } from '../cli/main.ts';

const { code, output, errors } = await main(process.argv.slice(2));
await written(process.stdout, output);
await written(process.stderr, errors);
// An answer that was given up on can hold the process open; there is nothing left to wait for.
process.exit(code);

async function written(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (text === '') return;
  await new Promise<void>((resolve) => {
    stream.once('error', () => resolve());
    stream.write(text, () => resolve());
  });
}

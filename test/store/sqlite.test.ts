import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { openStore } from '../../tools/store/store.ts';
import { storeContract } from '../contracts/store-contract.ts';

const root = mkdtempSync(join(tmpdir(), 'sqlite-store-'));
afterAll(() => rmSync(root, { recursive: true }));

storeContract({ name: 'SQLite', open: (place) => openStore(join(root, place)) });

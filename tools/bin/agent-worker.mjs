#!/usr/bin/env -S node --max-semi-space-size=1
// A worker waits most of its life: a small nursery costs it nothing and saves some 30 MB of memory.
import { run } from './run.mjs';
await run('agent-worker');

import { defineConfig } from 'vitest/config';

// The real Claude Code against a scripted API on loopback. One at a time: each run takes a core and 200 MB.
export default defineConfig({
  test: {
    include: ['test/claude/**/*.test.ts'],
    globalSetup: ['test/claude/install.ts'],
    testTimeout: 60_000,
    hookTimeout: 30_000,
    fileParallelism: false,
  },
});

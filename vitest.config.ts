import { defineConfig } from 'vitest/config';

// Tests start real processes and servers, so they get room; they never wait on the clock when an event will do.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/claude/**', 'test/chaos/**', 'node_modules/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 3,
  },
});

/** @jest-config-loader esbuild-register */
// For `npm run test:integration`: the packed package, other people's hosts and renderers, the batch client, the recipes and the
// demo.
import type { Config } from 'jest';

const config: Config = {
  rootDir: '../..',
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/integration'],
  testMatch: ['**/*.spec.ts'],
};

export default config;

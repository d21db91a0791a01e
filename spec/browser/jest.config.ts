/** @jest-config-loader esbuild-register */
// For `npm run test:browser`: the suite that needs a browser, apart from the specs of `npm test`.
import type { Config } from 'jest';

const config: Config = {
  rootDir: '../..',
  testEnvironment: 'node',
  roots: ['<rootDir>/spec/browser'],
  testMatch: ['**/*.browser.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // For a machine under load: what passes does not wait for it.
  testTimeout: 120_000,
};

export default config;

import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'coverage'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // The middleware runs in front of any Connect-style host, so it must not need one of them.
    files: ['lib/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { paths: ['express', 'connect', 'sharp', '@aws-sdk/client-s3'] }],
    },
  },
  {
    // Only these modules load the AWS SDK, so that a host that saves to a folder need not install it.
    files: ['lib/stores/s3/*.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['express', 'connect', 'sharp'] }] },
  },
  {
    // Only this folder loads sharp.
    files: ['lib/image/*.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['express', 'connect', '@aws-sdk/client-s3'] }] },
  },
  {
    files: ['demo/page/**/*.js'],
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-unused-vars': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['bench/**/*.ts', 'demo/**/*.ts', 'spec/**/*.ts'],
    rules: { 'no-console': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);

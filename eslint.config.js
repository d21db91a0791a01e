import tseslint from 'typescript-eslint';

/**
 * The parts of lib/, and what each may import from the others, as paths below lib/. Imports run one way: the entry
 * points and `hosts`, which are not listed, join the parts, and no part imports them.
 */
const MAY_IMPORT = {
  'abort.ts': [],
  'error-table.ts': [],
  'errors.ts': ['error-table'],
  'validate-options.ts': [],
  // Neither the middleware nor its errors: the command runs where there is no Express and no sharp.
  batch: ['abort', 'protocol/parse-reply', 'protocol/query', 'validate-options'],
  bytes: ['errors'],
  // The types of what it gives to a save.
  capture: ['bytes/recycled-memory', 'save/exchange'],
  image: ['abort', 'bytes/image-bytes', 'errors', 'thread-pool'],
  protocol: ['errors', 'image/types', 'image/formats', 'validate-options'],
  save: [
    'abort',
    'bytes/.*',
    'errors',
    'image/.*',
    'protocol/.*',
    'stores/types',
    'temp-files/.*',
    'validate-options',
  ],
  // The options of a store are checked in the same way as those of the middleware.
  stores: ['abort', 'bytes/image-bytes', 'errors', 'image/types', 'temp-files/.*', 'validate-options'],
  'temp-files': ['bytes/image-bytes', 'errors', 'thread-pool'],
  'thread-pool.ts': [],
};

/** Packages that only one part may import, or none: the middleware must run in front of any Connect-style host. */
const OWNED_PACKAGES = [
  'express',
  'connect',
  'sharp',
  '@aws-sdk/*',
  'commander',
  'cli-progress',
  'csv-parse',
  'https-proxy-agent',
  'proxy-from-env',
];

/** The packages of a part. The batch client is bundled with its own. */
const OWNERS = { image: ['sharp'], batch: ['csv-parse', 'https-proxy-agent', 'proxy-from-env'] };

/**
 * The rule for the files of a part.
 *
 * @param {string[] | undefined} allowed Paths below lib/, as regular expressions; undefined allows all of lib/.
 * @param {string} toLib The path from such a file to lib/, as a regular expression.
 * @param {string[]} owns The packages that only these files may import.
 */
function restrictImports(allowed, toLib, owns = []) {
  const packages = OWNED_PACKAGES.filter((name) => !owns.includes(name));
  const patterns = [{ group: packages, message: 'Only its own part of lib/ may import this package.' }];
  if (allowed !== undefined) {
    patterns.push({
      regex: String.raw`^${toLib}(?!\.\./)(?!(?:${allowed.join('|')})\.js$)`,
      message: 'Imports run one way: see MAY_IMPORT in eslint.config.js.',
    });
  }
  return { 'no-restricted-imports': ['error', { patterns }] };
}

const importRules = [
  { files: ['lib/*.ts'], rules: restrictImports(undefined, '') },
  ...Object.entries(MAY_IMPORT).flatMap(([part, allowed]) => {
    if (part.endsWith('.ts'))
      return [{ files: [`lib/${part}`], rules: restrictImports(allowed, String.raw`\./`) }];
    const owns = OWNERS[part] ?? [];
    return [
      { files: [`lib/${part}/*.ts`], rules: restrictImports(allowed, String.raw`\.\./`, owns) },
      { files: [`lib/${part}/*/*.ts`], rules: restrictImports(allowed, String.raw`(?:\.\./){2}`, owns) },
    ];
  }),
  // The program alone: `saveAll` reads no arguments and draws no bar.
  {
    files: ['lib/batch/cli/*.ts'],
    rules: restrictImports(MAY_IMPORT.batch, String.raw`(?:\.\./){2}`, ['commander', 'cli-progress']),
  },
  // Only this store needs the AWS SDK.
  {
    files: ['lib/stores/s3/*.ts'],
    rules: restrictImports(MAY_IMPORT.stores, String.raw`(?:\.\./){2}`, ['@aws-sdk/*']),
  },
];

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
  ...importRules,
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

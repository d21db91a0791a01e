// What runs on the Node that runs the specs.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

/** As its package.json says: ^22.15.0 || ^24.0.0 || >=26.0.0. */
export const runsHttpProxyMiddleware4 = (major === 22 && minor >= 15) || major === 24 || major >= 26;

// Runs the store tests on the store of images in memory: node --test store-test.mjs
import { test } from 'node:test';
import { storeTests } from 'express-image-save/store-tests';
import { memoryStore } from './memory-store.mjs';

async function open() {
  const images = new Map();
  return {
    store: memoryStore(images),
    read: async (name) => images.get(name),
    list: async () => [...images.keys()],
    close: async () => images.clear(),
  };
}

for (const { name, run } of storeTests({ open })) test(name, run);

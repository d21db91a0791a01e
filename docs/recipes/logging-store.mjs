// A store around another one: it writes a line for each published image.
export function loggingStore(store, log = console.log) {
  return {
    async prepare(name, options) {
      const target = await store.prepare(name, options);
      return {
        tempFile: target.tempFile,
        async publish(image, publishOptions) {
          const result = await target.publish(image, publishOptions);
          log(`${name}: ${image.width} × ${image.height} ${image.type}, ${image.bytes.length} bytes`);
          return result;
        },
        async close() {
          await target.close?.();
        },
      };
    },
  };
}

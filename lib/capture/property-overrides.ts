// Properties that stand before those of a response, made once and for all responses: they find by `this` whose they are.

export type AccessorMap = Readonly<Record<string, PropertyDescriptor>>;

/** Properties that are read alike, and set alike; without a `set`, setting them does nothing. */
export function defineAccessors<Response extends object>(
  names: readonly string[],
  get: (res: Response, name: string) => unknown,
  set: (res: Response, name: string, value: unknown) => void = () => undefined,
): AccessorMap {
  const property = (name: string): PropertyDescriptor => ({
    configurable: true,
    get(this: Response): unknown {
      return get(this, name);
    },
    set(this: Response, value: unknown) {
      set(this, name, value);
    },
  });
  return Object.fromEntries(names.map((name) => [name, property(name)]));
}

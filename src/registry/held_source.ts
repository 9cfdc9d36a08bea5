import type { World } from "../world.ts";
import type { ByteSource } from "./byte_source.ts";
import { ContentStore } from "./content_store.ts";
import type { Expected } from "./verified_source.ts";

/**
 * Takes a verified source whole into the store, or into a temporary directory, before a byte of it is given out: what
 * has been given out cannot be taken back when the end shows that it was wrong. `undefined` where there is no room.
 *
 * Rejects as the source does.
 */
export async function heldSource(
  source: ByteSource,
  expected: Expected,
  { store, world }: { readonly store: ContentStore | undefined; readonly world: World },
): Promise<ByteSource | undefined> {
  if (store !== undefined) return await through(store, source, expected);
  const directory = await world.files.makeTempDirectory().catch(() => undefined);
  if (directory === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => world.files.remove(directory));
  const held = await through(new ContentStore(directory, world), source, expected);
  if (held === undefined) return undefined;
  const rest = stack.move();
  return {
    read: () => held.read(),
    async close(): Promise<void> {
      await held.close();
      await rest.disposeAsync();
    },
  };
}

async function through(
  store: ContentStore,
  source: ByteSource,
  expected: Expected,
): Promise<ByteSource | undefined> {
  const kept = store.keeping(source, expected.digest);
  try {
    while (await kept.read() !== undefined);
  } finally {
    await kept.close();
  }
  return await store.open(expected);
}

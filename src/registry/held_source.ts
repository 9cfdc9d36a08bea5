import type { World } from "../world.ts";
import type { ByteSource } from "./byte_source.ts";
import { ContentStore } from "./content_store.ts";
import type { Expected } from "./verified_source.ts";

/**
 * Takes a verified source whole into the store before a byte of it is given out, or into a temporary directory where
 * there is no store or it cannot take it: what has been given out cannot be taken back when the end shows that it was
 * wrong. `undefined` where there is no room in either. `pull` opens the source, and once more for the second try.
 *
 * Rejects as the source does.
 */
export async function heldSource(
  pull: () => ByteSource,
  expected: Expected,
  { store, world }: { readonly store: ContentStore | undefined; readonly world: World },
): Promise<ByteSource | undefined> {
  const stored = store && await through(store, pull(), expected);
  if (stored !== undefined) return stored;
  const directory = await world.files.makeTempDirectory().catch(() => undefined);
  if (directory === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => world.files.remove(directory));
  const held = await through(new ContentStore(directory, world), pull(), expected);
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
    while (await kept.read() !== undefined) {
      if (kept.isLost) return undefined;
    }
  } finally {
    await kept.close();
  }
  return await store.open(expected);
}

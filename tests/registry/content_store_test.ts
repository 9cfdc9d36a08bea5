import { assertEquals, assertRejects } from "@std/assert";
import { type ByteSource, sourceOfBytes, streamOf } from "../../src/registry/byte_source.ts";
import { ContentStore } from "../../src/registry/content_store.ts";
import { digestOf, hexOf } from "../../src/registry/digest.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { verifiedSource } from "../../src/registry/verified_source.ts";
import { type TestWorld, testWorld } from "./registry_rig.ts";

const BYTES = Uint8Array.from({ length: 200_000 }, (_, index) => (index * 31) % 256);
const DIGEST = digestOf(BYTES);
const EXPECTED = { digest: DIGEST, size: BYTES.length };

interface Bench {
  readonly directory: string;
  readonly path: string;
  readonly store: ContentStore;
  readonly world: TestWorld;
}

async function withStore(
  use: (bench: Bench) => Promise<void>,
  change: Partial<TestWorld["files"]> = {},
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "store-" });
  const world = testWorld();
  const store = new ContentStore(directory, { ...world, files: { ...world.files, ...change } });
  try {
    await use({ directory, path: `${directory}/blobs/sha256/${hexOf(DIGEST)}`, store, world });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function readAll(source: ByteSource | undefined): Promise<Uint8Array | undefined> {
  return source && await new Response(streamOf(source)).bytes();
}

/** The bytes in pieces, with something going wrong after some of them. */
function pieces(failAfter = Infinity): ByteSource {
  let position = 0;
  return {
    read() {
      if (position >= failAfter) return Promise.reject(new RegistryError("unreachable", "it broke"));
      const piece = BYTES.slice(position, position += 30_000);
      return Promise.resolve(piece.length === 0 ? undefined : piece);
    },
    close: () => Promise.resolve(),
  };
}

const leftovers = (directory: string) => Array.fromAsync(Deno.readDir(`${directory}/ingest`));

Deno.test("ContentStore: what was read to its verified end is there the next time, and nobody else may read it", async () => {
  await withStore(async ({ store, directory, path }) => {
    assertEquals(await store.open(EXPECTED), undefined);
    assertEquals(await readAll(store.keeping(verifiedSource(pieces(), EXPECTED), DIGEST)), BYTES);
    assertEquals(await readAll(await store.open(EXPECTED)), BYTES);
    assertEquals(await store.readSmall(DIGEST, BYTES.length), BYTES);
    assertEquals(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
    assertEquals(await leftovers(directory), []);
  });
});

Deno.test("ContentStore: what broke, was wrong, or was given up leaves nothing", async () => {
  await withStore(async ({ store, directory, path }) => {
    const broken = store.keeping(verifiedSource(pieces(60_000), EXPECTED), DIGEST);
    await assertRejects(() => readAll(broken).then(() => undefined), RegistryError);
    const wrong = store.keeping(
      verifiedSource(pieces(), { ...EXPECTED, digest: digestOf(BYTES.slice(1)) }),
      DIGEST,
    );
    await assertRejects(() => readAll(wrong).then(() => undefined), RegistryError);
    const reader = streamOf(store.keeping(verifiedSource(pieces(), EXPECTED), DIGEST)).getReader();
    await reader.read();
    await reader.cancel();
    assertEquals(await leftovers(directory), []);
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("ContentStore: spoilt content is removed with a warning, however it was spoilt", async () => {
  await withStore(async ({ store, path, world }) => {
    for (
      const spoilt of [
        BYTES.with(7, 0),
        BYTES.slice(0, -1),
        new Uint8Array(),
        new Uint8Array(BYTES.length + 1),
      ]
    ) {
      await store.keep(DIGEST, BYTES);
      await Deno.writeFile(path, spoilt);
      assertEquals(await store.open(EXPECTED), undefined);
      await store.keep(DIGEST, BYTES);
      await Deno.writeFile(path, spoilt);
      assertEquals(await store.readSmall(DIGEST, 1 << 20), undefined);
      await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    }
    assertEquals(world.lines.filter(({ level }) => level === "warn").length, 8);
  });
});

Deno.test("ContentStore: a layer that is asked for as a document stays where it is", async () => {
  await withStore(async ({ store, world }) => {
    await store.keep(DIGEST, BYTES);
    assertEquals(await store.readSmall(DIGEST, BYTES.length - 1), undefined);
    assertEquals(await readAll(await store.open(EXPECTED)), BYTES);
    assertEquals(world.lines, []);
  });
});

Deno.test("ContentStore: content spoilt between its two verifications fails the stream", async () => {
  await withStore(async ({ store, path }) => {
    await store.keep(DIGEST, BYTES);
    const source = await store.open(EXPECTED);
    await Deno.writeFile(path, BYTES.with(7, 0));
    const error = await assertRejects(() => readAll(source).then(() => undefined), RegistryError);
    assertEquals(error.code, "content-mismatch");
  });
});

Deno.test("ContentStore: several writers of one content do not disturb each other", async () => {
  await withStore(async ({ store, directory }) => {
    const copies = Array.from(
      { length: 8 },
      () => readAll(store.keeping(verifiedSource(pieces(), EXPECTED), DIGEST)),
    );
    for (const copy of await Promise.all(copies)) assertEquals(copy, BYTES);
    assertEquals(await readAll(await store.open(EXPECTED)), BYTES);
    assertEquals(await leftovers(directory), []);
  });
});

Deno.test("ContentStore: what killed programs have left is removed, what is being written is not", async () => {
  await withStore(async ({ store, directory }) => {
    await Deno.mkdir(`${directory}/ingest`);
    const hour = 3600 * 1000;
    for (const [name, age] of [["left", 25 * hour], ["slow", 23 * hour]] as const) {
      await Deno.writeFile(`${directory}/ingest/${name}`, BYTES);
      const modified = new Date(Date.now() - age);
      await Deno.utime(`${directory}/ingest/${name}`, modified, modified);
    }
    await store.keep(DIGEST, BYTES);
    assertEquals((await leftovers(directory)).map(({ name }) => name), ["slow"]);
    assertEquals(await readAll(await store.open(EXPECTED)), BYTES);
  });
});

Deno.test("ContentStore: what cannot be removed costs nothing", async () => {
  await withStore(async ({ store, world }) => {
    await store.keep(DIGEST, BYTES);
    assertEquals(await readAll(await store.open(EXPECTED)), BYTES);
    assertEquals(world.lines.map(({ level }) => level), ["debug"]);
  }, { list: () => Promise.reject(new Error("another's")) });
});

Deno.test("ContentStore: a full disk costs the store, not the pull", async () => {
  const world = testWorld();
  const full = {
    async createPrivate(path: string) {
      const file = await world.files.createPrivate(path);
      return {
        ...file,
        write: () => Promise.reject(new Error("no space left")),
        [Symbol.dispose]: file.close,
      };
    },
  };
  await withStore(async ({ store, directory, world: { lines } }) => {
    assertEquals(await readAll(store.keeping(verifiedSource(pieces(), EXPECTED), DIGEST)), BYTES);
    assertEquals(await store.open(EXPECTED), undefined);
    assertEquals([lines.length, await leftovers(directory)], [1, []]);
  }, full);
});

Deno.test("ContentStore: a directory that cannot be made costs the store, not the pull", async () => {
  const failing = { makeDirectory: () => Promise.reject(new Error("read-only")) };
  await withStore(async ({ store }) => {
    await store.keep(DIGEST, BYTES);
    assertEquals(await readAll(store.keeping(sourceOfBytes(BYTES), DIGEST)), BYTES);
  }, failing);
});

Deno.test("verifiedSource: too short, too long, other bytes, nothing beyond the size is given out", async () => {
  const run = async (bytes: Uint8Array<ArrayBuffer>, size: number) => {
    let given = 0;
    const source = verifiedSource(sourceOfBytes(bytes), { digest: DIGEST, size }, {
      onProgress: (n) => given = n,
    });
    const error = await assertRejects(() => readAll(source).then(() => undefined), RegistryError);
    return [error.code, given];
  };
  assertEquals(await run(BYTES.slice(1), BYTES.length), ["content-mismatch", BYTES.length - 1]);
  assertEquals(await run(BYTES.with(0, 1), BYTES.length), ["content-mismatch", BYTES.length]);
  assertEquals(await run(BYTES, BYTES.length - 1), ["content-mismatch", 0]);
  assertEquals(await run(new Uint8Array(), BYTES.length), ["content-mismatch", 0]);
});

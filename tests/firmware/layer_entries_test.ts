import { assert, assertEquals, assertRejects } from "@std/assert";
import { FirmwareError } from "../../src/firmware/firmware_error.ts";
import { type LayerEntry, readEntries } from "../../src/firmware/layer_entries.ts";
import {
  concatBytes,
  tarArchive,
  tarDevice,
  tarDirectory,
  type TarEntry,
  tarFile,
  tarGiantPax,
  tarGlobalPax,
  tarHardLink,
  tarSymlink,
} from "../builders/tar.ts";
import { bytes, text } from "./stand_in_layers.ts";

const LONG = `firmware/${"long-".repeat(60)}name.bin`;
const MIB = 1024 * 1024;

interface ReadEntry extends LayerEntry {
  readonly content: string;
}

async function* pieces(whole: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield await Promise.resolve(whole.slice(at, at + size));
}

async function entriesOf(archive: AsyncIterable<Uint8Array>): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  await readEntries(archive, async (entry, content) => {
    entries.push({ ...entry, content: text(concatBytes(await Array.fromAsync(content))) });
  });
  return entries;
}

async function codeOf(archive: AsyncIterable<Uint8Array>): Promise<string> {
  return (await assertRejects(() => entriesOf(archive), FirmwareError)).code;
}

const FORMS: Readonly<Record<string, readonly [entry: TarEntry, read: Partial<ReadEntry>]>> = {
  "plain file": [tarFile("a", "x"), { name: "a", type: "file", size: 1, content: "x" }],
  "empty file": [tarFile("a", ""), { name: "a", type: "file", size: 0, content: "" }],
  "PAX path": [tarFile(LONG, "x"), { name: LONG, content: "x" }],
  "GNU long name": [tarFile(LONG, "x", { longNames: "gnu" }), { name: LONG, content: "x" }],
  "PAX path over a short one": [tarFile("a", "x", { pax: { path: "b/größe" } }), { name: "b/größe" }],
  "PAX linkpath": [tarSymlink("a", LONG), { type: "symlink", linkTarget: LONG, size: 0 }],
  "GNU long link": [{ ...tarHardLink("a", LONG), longNames: "gnu" }, { type: "link", linkTarget: LONG }],
  "PAX size over a false one": [
    tarFile("a", "12345", { pax: { size: "5" }, claimedSize: 0 }),
    { size: 5, content: "12345" },
  ],
  "base-256 size": [tarFile("a", "12345", { base256: true }), { size: 5, content: "12345" }],
  "pre-POSIX header without magic": [tarFile("a", "x", { magic: "\0\0\0\0\0\0\0\0", type: "\0" }), {
    type: "file",
    content: "x",
  }],
  "directory": [tarDirectory("d"), { name: "d/", type: "directory", size: 0 }],
  "device": [tarDevice("null"), { type: "special", size: 0 }],
  "pipe": [{ name: "p", type: "6" }, { type: "special" }],
};

for (const [name, [entry, read]] of Object.entries(FORMS)) {
  Deno.test(`readEntries: ${name}`, async () => {
    for (const size of [64 * 1024, 511]) {
      const [first, next] = await entriesOf(pieces(tarArchive([entry, tarFile("next", "n")]), size));
      assertEquals({ ...first, ...read }, first);
      assertEquals([next?.name, next?.index, next?.content], ["next", 1, "n"]);
    }
  });
}

Deno.test("readEntries: global PAX records hold for the entries after them and are no entry", async () => {
  const read = await entriesOf(
    pieces(tarArchive([tarGlobalPax({ comment: "built by CI" }), tarFile("a", "x")])),
  );
  assertEquals(read.map((entry) => [entry.index, entry.name]), [[0, "a"]]);
});

Deno.test("readEntries: an entry after one that was left unread is whole, however the archive comes in", async () => {
  for (const left of [1, 12, 600, 100_000]) {
    for (const wanted of [1, 20_000, 300_000]) {
      const content = new Uint8Array(wanted).map((_, index) => index % 251);
      for (const piece of [511, 16 * 1024, 64 * 1024, MIB]) {
        const archive = tarArchive([
          tarFile("firmware/LICENSE", new Uint8Array(left).fill(1)),
          tarFile("firmware/app.bin", content),
          tarFile("firmware/notes", new Uint8Array(left).fill(3)),
        ]);
        let read = new Uint8Array();
        await readEntries(pieces(archive, piece), async (entry, body) => {
          if (entry.index === 1) read = concatBytes(await Array.fromAsync(body, (chunk) => chunk.slice()));
        });
        assert(read.length === wanted && read.every((byte, index) => byte === content[index]));
      }
    }
  }
});

Deno.test("readEntries: what a visitor does not read is skipped", async () => {
  const entries = [tarFile("big", new Uint8Array(3 * MIB)), tarFile("small", "x"), tarFile("last", "y")];
  const seen: string[] = [];
  await readEntries(pieces(tarArchive(entries)), async (entry, content) => {
    if (entry.name !== "small") return;
    for await (const chunk of content) seen.push(text(chunk));
  });
  assertEquals(seen, ["x"]);
});

Deno.test("readEntries: the source is read to its end, beyond the end mark", async () => {
  let ended = false;
  async function* padded(): AsyncGenerator<Uint8Array> {
    yield* pieces(concatBytes([tarArchive([tarFile("a", "x")]), new Uint8Array(512 * 20)]), 512);
    ended = true;
  }
  assertEquals((await entriesOf(padded())).length, 1);
  assert(ended);
});

Deno.test("readEntries: what the source throws comes through, at any point", async () => {
  const archive = tarArchive([tarFile("a", "x".repeat(2000)), tarFile("b", "y")]);
  for (let cut = 0; cut <= archive.length; cut += 256) {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield* pieces(archive.subarray(0, cut), 100);
      throw new RangeError("the source failed");
    };
    await assertRejects(() => entriesOf(failing()), RangeError, "the source failed");
  }
});

Deno.test("readEntries: what the visitor throws comes through, and the source is let go", async () => {
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield tarArchive([tarFile("a", "x")]).subarray(0, 1024);
    for (; given < 100_000; given++) {
      yield await Promise.resolve(tarArchive([tarFile("b", "y")]).subarray(0, 1024));
    }
  }
  await assertRejects(
    () =>
      readEntries(endless(), () => {
        throw new RangeError("enough");
      }),
    RangeError,
    "enough",
  );
  assert(given < 5000, `${given} entries read`);
});

Deno.test("readEntries: an archive cut short is refused", async () => {
  const archive = tarArchive([tarDirectory("firmware"), tarFile(LONG, "x".repeat(700))]);
  // The end mark is two blocks: without the second the archive is not known to be complete.
  for (let length = 0; length < archive.length; length += 64) {
    assertEquals(
      await codeOf(pieces(archive.subarray(0, length), 300)),
      "corrupt-archive",
      `${length} bytes`,
    );
  }
});

const CORRUPT: Readonly<Record<string, Uint8Array>> = {
  "wrong checksum": tarArchive([tarFile("a", "x", { checksum: 1 })]),
  "size beyond the archive": tarArchive([tarFile("a", "x", { claimedSize: 1e6 })]),
  "size that is no number": tarArchive([tarFile("a", "x", { claimedSize: NaN })]),
  "size beyond safe integers": tarArchive([tarFile("a", "x", { claimedSize: 2 ** 70, base256: true })]),
  "no end mark": tarArchive([tarFile("a", "x")], 0),
  "content after the end mark": concatBytes([
    tarArchive([tarFile("a", "x")]),
    tarArchive([tarFile("b", "y")]),
  ]),
  "sparse file": tarArchive([
    tarFile("a", "x", { pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" } }),
  ]),
  "text": bytes("<html>not found</html>".repeat(100)),
  "nothing": bytes(""),
};

for (const [name, archive] of Object.entries(CORRUPT)) {
  Deno.test(`readEntries: ${name} is refused`, async () => {
    assertEquals(await codeOf(pieces(archive)), "corrupt-archive");
  });
}

Deno.test("readEntries: metadata is bounded before it is collected", async () => {
  const endless: Readonly<Record<string, () => Generator<Uint8Array>>> = {
    "one giant record": function* () {
      yield tarGiantHead("x", 2 ** 33);
      for (;;) yield new Uint8Array(64 * 1024).fill(0x78);
    },
    "one giant long name": function* () {
      yield tarGiantHead("L", 2 ** 33);
      for (;;) yield new Uint8Array(64 * 1024).fill(0x78);
    },
    "a record of 7 MiB": function* () {
      yield tarArchive([tarGiantPax("a", 7 * MIB)]);
    },
    "records without end": function* () {
      for (;;) yield tarArchive([tarGlobalPax({ comment: "x".repeat(60_000) })], 0);
    },
    "padding without end": function* () {
      yield tarArchive([tarFile("a", "x")]);
      for (;;) yield new Uint8Array(64 * 1024);
    },
  };
  for (const [name, chunks] of Object.entries(endless)) {
    let fed = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for (const chunk of chunks()) {
        for await (const piece of pieces(chunk)) {
          fed += piece.length;
          yield piece;
        }
      }
    };
    const code = await codeOf(counted());
    // A size beyond what the decoder itself takes is refused as malformed, before anything is collected.
    assert(code === "limit" || (code === "corrupt-archive" && fed < MIB), `${name}: ${code}`);
    assert(fed <= 3.25 * MIB, `${name}: ${fed} bytes were taken`);
  }
});

Deno.test("readEntries: metadata within the limit is no obstacle, however much of it there is in all", async () => {
  const entries = Array.from({ length: 40 }, (_, n) => tarGiantPax(`file-${n}`, 200_000));
  assertEquals(
    (await entriesOf(pieces(tarArchive(entries)))).map((entry) => entry.content),
    Array(40).fill("small"),
  );
});

/** Only the header of a metadata entry that claims `size` bytes. */
function tarGiantHead(type: string, size: number): Uint8Array {
  return tarArchive([{ name: "head", type, claimedSize: size }], 0).subarray(0, 512);
}

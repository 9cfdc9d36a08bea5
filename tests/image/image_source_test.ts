import { assertEquals, assertRejects } from "@std/assert";
import { ImageError } from "../../src/image/image_error.ts";
import { type ByteTap, type ImageSource, readThrough, readUpTo } from "../../src/image/image_source.ts";
import { BytesInMemory, noise } from "./hand_made_image.ts";

/** Keeps what it sees. */
class Collector implements ByteTap {
  readonly seen: number[] = [];
  constructor(readonly end: number) {}
  update(bytes: Uint8Array, offset: number): void {
    assertEquals(offset, this.seen.length);
    this.seen.push(...bytes);
  }
}

Deno.test("readThrough: each tap sees exactly its part, in windows of bounded size", async () => {
  const source = new BytesInMemory(noise(150_000));
  const taps = [new Collector(10), new Collector(65_536), new Collector(140_001)];
  await readThrough(source, taps);
  for (const tap of taps) assertEquals(Uint8Array.from(tap.seen), source.bytes.subarray(0, tap.end));
  assertEquals(source.largestRead, 65_536);
  assertEquals(source.reads, 3);
});

Deno.test("readUpTo: a source that reads a few bytes at a time gives them all", async () => {
  const whole = new BytesInMemory(noise(100));
  const source: ImageSource = {
    size: 100,
    readAt: (offset, into) => whole.readAt(offset, into.subarray(0, 7)),
  };
  assertEquals(await readUpTo(source, { offset: 20, length: 500 }), whole.bytes.subarray(20));
  assertEquals((await readUpTo(source, { offset: 200, length: 5 })).length, 0);
});

Deno.test("readUpTo: a file that became shorter is an error, not a verdict", async () => {
  const source: ImageSource = { size: 100, readAt: () => Promise.resolve(0) };
  const error = await assertRejects(() => readUpTo(source, { offset: 0, length: 10 }), ImageError);
  assertEquals(error.code, "file-changed");
});

Deno.test("readThrough: ends with the signal's reason", async () => {
  const reason = new Error("stop");
  const reading = readThrough(new BytesInMemory(noise(10)), [new Collector(10)], AbortSignal.abort(reason));
  assertEquals(await assertRejects(() => reading), reason);
});

import { assertEquals } from "@std/assert";
import { type ByteSink, DenoOutput } from "../src/deno_output.ts";

/** A reader that takes at most `most` bytes at once, and none before `open`. */
class SlowReader implements ByteSink {
  text = "";
  readonly #opened = Promise.withResolvers<void>();
  readonly #most: number;

  constructor(most = Infinity) {
    this.#most = most;
  }

  open(): void {
    this.#opened.resolve();
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.#opened.promise;
    const taken = bytes.subarray(0, this.#most);
    this.text += new TextDecoder("latin1").decode(taken);
    return taken.length;
  }
}

const never = new AbortController().signal;

Deno.test("DenoOutput: texts come whole and in their order, however little is taken at once", async () => {
  const reader = new SlowReader(3);
  const output = new DenoOutput(reader);
  for (let line = 0; line < 50; line++) output.write(`line ${line}\n`);
  reader.open();
  await output.finished(never);
  assertEquals(reader.text, Array.from({ length: 50 }, (_, line) => `line ${line}\n`).join(""));
});

Deno.test("DenoOutput: two outputs keep the order in which they were written", async () => {
  const order: string[] = [];
  const sink = (name: string, delay: number): ByteSink => ({
    async write(bytes) {
      await new Promise((resolve) => setTimeout(resolve, delay));
      order.push(`${name}${new TextDecoder().decode(bytes)}`);
      return bytes.length;
    },
  });
  const [output, errors] = [new DenoOutput(sink("out", 0)), new DenoOutput(sink("err", 5))];
  errors.write("1", output);
  errors.write("2", output);
  output.write("3", errors);
  errors.write("4", output);
  await Promise.all([output.finished(never), errors.finished(never)]);
  assertEquals(order, ["err1", "err2", "out3", "err4"]);
});

Deno.test("DenoOutput: a reader that has gone costs nothing, not even an error", async () => {
  const gone = new DenoOutput({ write: () => Promise.reject(new Deno.errors.BrokenPipe("gone")) });
  gone.write("one");
  gone.write("two");
  await gone.finished(never);
});

Deno.test("DenoOutput: a full pipe that may not block is tried again", async () => {
  const reader = new SlowReader();
  reader.open();
  let refusals = 3;
  const output = new DenoOutput({
    write: (bytes) =>
      refusals-- > 0 ? Promise.reject(new Deno.errors.WouldBlock("full")) : reader.write(bytes),
  });
  output.write("whole");
  await output.finished(never);
  assertEquals([reader.text, refusals], ["whole", -1]);
});

Deno.test("DenoOutput: nobody reading bounds what is kept; what was left out is counted once somebody does", async () => {
  const reader = new SlowReader();
  const output = new DenoOutput(reader);
  const piece = "x".repeat(64 * 1024);
  for (let count = 0; count < 40; count++) output.write(piece);
  reader.open();
  await output.finished(never);
  // 1 MiB holds 16 pieces; the one that goes over it is still taken, as a single result may be longer.
  assertEquals(reader.text, `${piece.repeat(17)}[23 texts left out: nobody was reading]\n`);
  output.write("again");
  await output.finished(never);
  assertEquals(reader.text.endsWith("again"), true);
});

Deno.test("DenoOutput: a single text is kept whatever its length", async () => {
  const reader = new SlowReader(1_000_000);
  const output = new DenoOutput(reader);
  const long = "y".repeat(3_000_000);
  output.write(long);
  reader.open();
  await output.finished(never);
  assertEquals(reader.text === long, true);
});

Deno.test("DenoOutput: once stopped, a reader that takes nothing is not waited for", async () => {
  const reader = new SlowReader();
  const output = new DenoOutput(reader);
  output.write("lost");
  await output.finished(AbortSignal.abort());
  assertEquals(reader.text, "");
  reader.open();
  await output.finished(never);
});

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { deployedServerPair } from "../builders/certificates.ts";
import { OpensslDesk } from "../image/openssl_program.ts";
import { type ProgramRun, runProgram } from "../lab/program.ts";

/** A directory for certificates and the program that makes them. */
class CertsRoom implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<CertsRoom> {
    return new CertsRoom(await Deno.makeTempDir({ prefix: "certs-command-test-" }));
  }

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  /** Runs `flashjob certs` in the subdirectory `pki`, which does not exist at first. */
  certs(kind: string, ...args: string[]): Promise<ProgramRun> {
    return runProgram(["certs", kind, "--directory", this.path("pki"), ...args]);
  }

  async contents(): Promise<Record<string, string>> {
    const names = (await Array.fromAsync(Deno.readDir(this.path("pki")))).map((entry) => entry.name).sort();
    return Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, await Deno.readTextFile(this.path(`pki/${name}`))] as const),
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}

Deno.test("certs: init and leaf make a pair that openssl verifies by the name devices ask for", async () => {
  await using openssl = await OpensslDesk.open();
  if (openssl === undefined) return;
  await using room = await CertsRoom.open();
  const init = await room.certs("init");
  assertEquals(init.code, 0, init.stderr);
  assertStringIncludes(init.stdout, `compile in ${room.path("pki/authority.crt")}`);
  const leaf = await room.certs("leaf", "--algorithm", "rsa-2048", "--days", "30");
  assertEquals(leaf.code, 0, leaf.stderr);
  assertStringIncludes(leaf.stdout, "SERVER_CRT_PATH");

  const [authority, server] = [room.path("pki/authority.crt"), room.path("pki/server.crt")];
  await openssl.must(
    ...["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "ota-agent"],
    ...["-CAfile", authority, server],
  );
  const { text } = await openssl.run("x509", "-in", server, "-noout", "-fingerprint", "-sha256", "-text");
  const printed = /^SHA-256 +([0-9a-f]{64})$/m.exec(leaf.stdout)?.[1];
  assertStringIncludes(text.replaceAll(":", "").toLowerCase(), `sha256 fingerprint=${printed}`);
  assertStringIncludes(text, "Public-Key: (2048 bit)");
  assertEquals(Object.keys(await room.contents()), [
    "authority.crt",
    "authority.key",
    "server.crt",
    "server.key",
  ]);
  for (const name of ["pki", "pki/authority.key", "pki/server.key"]) {
    assertEquals(((await Deno.stat(room.path(name))).mode ?? 0) & 0o077, 0, `${name} is private`);
  }
});

Deno.test("certs: --output json tells the same", async () => {
  await using room = await CertsRoom.open();
  const { code, stdout } = await room.certs("init", "--output", "json", "--common-name", "fleet 7");
  assertEquals(code, 0);
  const { notAfter, sha256, ...rest } = JSON.parse(stdout);
  assertEquals(rest, {
    outcome: "created",
    code: 0,
    kind: "authority",
    certificate: room.path("pki/authority.crt"),
    key: room.path("pki/authority.key"),
    commonName: "fleet 7",
  });
  assertMatch(sha256, /^[0-9a-f]{64}$/);
  assertMatch(notAfter, /^\d{4}-\d\d-\d\dT/);
});

Deno.test("certs: nothing is ever overwritten", async () => {
  await using room = await CertsRoom.open();
  await room.certs("init");
  await room.certs("leaf");
  const before = await room.contents();
  for (const kind of ["init", "leaf"]) {
    const { code, stdout } = await room.certs(kind, "--output", "json");
    assertEquals([code, JSON.parse(stdout).outcome], [34, "local-io"]);
    assertMatch(JSON.parse(stdout).message, /^Cannot write '.*': it exists/);
  }
  assertEquals(await room.contents(), before);
});

Deno.test("certs: each way to fail has its code, and leaves no file", async () => {
  await using room = await CertsRoom.open();
  await room.certs("init");
  const deployed = await deployedServerPair();
  await Deno.writeTextFile(room.path("old.crt"), deployed.certificate);
  await Deno.writeTextFile(room.path("old.key"), deployed.key);
  await Deno.writeTextFile(room.path("file"), "");
  const leaf = await runProgram([
    ...["certs", "leaf", "--directory", room.path("leaf")],
    ...["--authority-crt", room.path("old.crt"), "--authority-key", room.path("old.key")],
  ]);
  assertEquals(leaf.code, 0, `the authority in the field issues too: ${leaf.stderr}`);
  const before = await room.contents();
  const cases = [
    { name: "missing", args: ["--authority-crt", room.path("none.crt")], code: 34 },
    { name: "other key", args: ["--authority-key", room.path("old.key")], code: 2 },
    {
      name: "no authority",
      args: [
        "--authority-crt",
        room.path("leaf/server.crt"),
        "--authority-key",
        room.path("leaf/server.key"),
      ],
      code: 2,
    },
    {
      name: "one path for two files",
      args: ["--server-crt", room.path("x"), "--server-key", room.path("x")],
      code: 2,
    },
    { name: "no such directory", args: ["--server-crt", room.path("none/server.crt")], code: 34 },
    { name: "a name that is none", args: ["--dns-name", "ota agent"], code: 2 },
    { name: "a thousand years", args: ["--days", "365000"], code: 2 },
  ];
  for (const { name, args, code } of cases) {
    const run = await room.certs("leaf", ...args);
    assertEquals([run.code, run.stdout], [code, ""], `${name}: ${run.stderr}`);
    assertStringIncludes(run.stderr, "Cannot ");
    assertEquals(await room.contents(), before, name);
  }
  const inFile = await runProgram(["certs", "init", "--directory", room.path("file/pki")]);
  assertEquals(inFile.code, 34);
  assertMatch(inFile.stderr, /Cannot make directory '.*file\/pki'/);
});

Deno.test("certs: all faults of its flags are told at once, and nothing is made", async () => {
  await using room = await CertsRoom.open();
  const run = await room.certs("init", "--algorithm", "dsa", "--days", "soon", "--dns-name", "x");
  assertEquals([run.code, run.stdout], [2, ""]);
  for (const name of ["--algorithm", "--days", "--dns-name"]) assertStringIncludes(run.stderr, name);
  const unknown = await room.certs("renew");
  assertEquals(unknown.code, 2);
  assertStringIncludes(unknown.stderr, "init, leaf");
  assertEquals(await Array.fromAsync(Deno.readDir(room.directory)), []);
});

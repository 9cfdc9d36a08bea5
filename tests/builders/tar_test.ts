import { assertEquals, assertRejects } from "@std/assert";
import { unpackTar } from "modern-tar";
import {
  tarArchive,
  tarDevice,
  tarDirectory,
  type TarEntry,
  tarFile,
  tarGiantPax,
  tarHardLink,
  tarOpaque,
  tarSymlink,
  tarWhiteout,
} from "./tar.ts";

const LONG = `firmware/${"directory/".repeat(14)}app.bin`;

for (const longNames of ["pax", "gnu"] as const) {
  Deno.test(`tarArchive: a reader sees the whole long name (${longNames})`, async () => {
    const link: TarEntry = { name: `${LONG}.lnk`, type: "2", linkName: LONG, longNames };
    const entries = await unpackTar(tarArchive([tarFile(LONG, "image", { longNames }), link]));
    assertEquals(entries.map((entry) => entry.header.name), [LONG, `${LONG}.lnk`]);
    assertEquals(entries[1]?.header.linkname, LONG);
    assertEquals(new TextDecoder().decode(entries[0]?.data), "image");
  });
}

Deno.test("tarArchive: every kind of entry is seen with its name and kind", async () => {
  const entries = await unpackTar(tarArchive([
    tarDirectory("firmware"),
    tarFile("firmware/app.bin", "image"),
    tarSymlink("a", "firmware/app.bin"),
    tarHardLink("b", "firmware/app.bin"),
    tarDevice("null"),
    tarWhiteout("firmware/old.bin"),
    tarOpaque("firmware"),
    tarFile("big", "12345", { base256: true }),
  ]));
  assertEquals(entries.map(({ header }) => [header.name, header.type, header.size]), [
    ["firmware/", "directory", 0],
    ["firmware/app.bin", "file", 5],
    ["a", "symlink", 0],
    ["b", "link", 0],
    ["null", "character-device", 0],
    ["firmware/.wh.old.bin", "file", 0],
    ["firmware/.wh..wh..opq", "file", 0],
    ["big", "file", 5],
  ]);
});

Deno.test("tarArchive: names that leave the directory are written as they are", () => {
  const archive = tarArchive([tarFile("../../etc/passwd", "x")]);
  assertEquals(new TextDecoder().decode(archive.subarray(0, 16)), "../../etc/passwd");
});

Deno.test("tarArchive: a wrong checksum and a claimed size are written as asked", async () => {
  await assertRejects(() => unpackTar(tarArchive([tarFile("a", "x", { checksum: 1 })]), { strict: true }));
  await assertRejects(() =>
    unpackTar(tarArchive([tarFile("a", "x", { claimedSize: 1 << 20 })]), { strict: true })
  );
});

Deno.test("tarGiantPax: the pax header is as large as asked", () => {
  assertEquals(tarArchive([tarGiantPax("a", 1 << 20)]).length > 1 << 20, true);
});

import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { withoutUser } from "../src/without_user.ts";

Deno.test("withoutUser: user, password, query and fragment are left out", () => {
  const table: [string, string][] = [
    ["", ""],
    ["host", "host"],
    ["http://host:80/path", "http://host:80/path"],
    ["http://me:secret@host/path?x=1#y", "http://***@host/path"],
    ["me:secret@host", "***@host"],
    ["http://me:se/cr@et@host", "http://***@host"],
    ["http://host/?token=secret", "http://host/"],
    ["http://host/?token=a@b", "http://***"],
    ["http://me:p?ss@host", "http://***"],
    ["//me:secret@host", "//***@host"],
  ];
  for (const [text, shown] of table) assertEquals(withoutUser(text), shown);
});

Deno.test("withoutUser: no secret is left, whatever it is made of", () => {
  const secret = fc.array(fc.constantFrom(..."s3cr:/?#@%[]"), { minLength: 8, maxLength: 16 })
    .map((letters) => letters.join("")).filter((text) => /[s3cr]{2}/.test(text));
  const place = fc.constantFrom(["http://me:", "@h"], ["me:", "@h/x"], ["http://", "@h"], [
    "http://h/?t=",
    "",
  ]);
  fc.assert(
    fc.property(secret, place, (hidden, [before, after]) => {
      assert(!/[s3cr]{2}/.test(withoutUser(`${before}${hidden}${after}`)));
    }),
    { seed: 20265, numRuns: 2000 },
  );
});

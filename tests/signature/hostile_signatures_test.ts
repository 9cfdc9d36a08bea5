import { assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { contentOf } from "../builders/oci_content.ts";
import type { OciImage } from "../builders/oci_image.ts";
import {
  bundleReferrer,
  certificateBundle,
  certificateLayer,
  keyBundle,
  keyLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  signStatement,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { sigstoreInstance } from "../builders/sigstore_instance.ts";
import { certificatePolicy, keyPolicy, outcome, REPOSITORY, unsignedImage, verify } from "./signed_image.ts";

const KEY = signingKey();
const SIGSTORE = await sigstoreInstance();
const POLICY = { ...await certificatePolicy(SIGSTORE), keys: keyPolicy([KEY]).keys };
const CERTIFICATE = await SIGSTORE.issue({
  identity: "mallory@example.com",
  issuer: "https://login.example",
});
const SIGNER = { certificate: CERTIFICATE, sigstore: SIGSTORE };

/** Changes some bytes: flips, cuts, doubles and extremes. */
const mutation = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    byte: fc.constantFrom(0, 0x22, 0x30, 0x5b, 0x7b, 0x7d, 0xff),
  }),
  { minLength: 1, maxLength: 4 },
);

function mutate(bytes: Uint8Array, changes: readonly { readonly at: number; readonly byte: number }[]) {
  const changed = Uint8Array.from(bytes);
  for (const { at, byte } of changes) changed[Math.floor(at * (changed.length - 1))] = byte;
  return changed;
}

Deno.test("verifySignatures: mangled bundles and manifests end in a report or a refusal, nothing else", async () => {
  const image = unsignedImage();
  const signed = { digest: image.subject.indexDigest, reference: REPOSITORY };
  const bundles = [keyBundle(signStatement(signed), KEY), certificateBundle(signStatement(signed), SIGNER)];
  const layers = [
    keyLayer(simpleSigningPayload(signed), KEY),
    certificateLayer(simpleSigningPayload(signed), SIGNER),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1),
      fc.constantFrom("bundle", "manifest"),
      mutation,
      async (which, what, changes) => {
        const victim = unsignedImage();
        const bundle = new TextEncoder().encode(JSON.stringify(bundles[which]));
        if (what === "bundle") victim.source.put(withBundle(victim.index, mutate(bundle, changes)));
        else {victim.source.put(
            mutateTop(signatureManifest(layers.slice(which)), changes),
            signatureTag(signed.digest),
          );}
        // outcome() rejects with whatever is neither.
        await outcome(verify(victim, POLICY));
      },
    ),
    { seed: 20260301, numRuns: 400 },
  );
});

Deno.test("verifySignatures: no changed payload is ever accepted", async () => {
  await fc.assert(
    fc.asyncProperty(mutation, async (changes) => {
      const image = unsignedImage();
      const signed = { digest: image.subject.indexDigest, reference: REPOSITORY };
      const layer = keyLayer(simpleSigningPayload(signed), KEY);
      const bytes = mutate(layer.bytes, changes);
      fc.pre(bytes.some((byte, at) => byte !== layer.bytes[at]));
      image.source.put(signatureManifest([{ ...layer, bytes }]), signatureTag(signed.digest));
      assertNotEquals(await outcome(verify(image, keyPolicy([KEY]))), "verified");
    }),
    { seed: 20260302, numRuns: 200 },
  );
});

/** A referrer whose bundle is these bytes. */
function withBundle(subject: OciImage, bytes: Uint8Array<ArrayBuffer>): OciImage {
  const referrer = bundleReferrer({}, subject.descriptor);
  const [manifest] = referrer.manifests;
  const document = JSON.parse(new TextDecoder().decode(manifest?.bytes));
  const blob = contentOf(bytes, "application/vnd.dev.sigstore.bundle.v0.3+json");
  const top = contentOf(
    new TextEncoder().encode(JSON.stringify({ ...document, layers: [blob.descriptor] })),
    referrer.descriptor.mediaType,
  );
  return { descriptor: top.descriptor, manifests: [top], blobs: [...referrer.blobs, blob] };
}

/** The same with a damaged top document under its own true digest. */
function mutateTop(image: OciImage, changes: Parameters<typeof mutate>[1]): OciImage {
  const [manifest] = image.manifests;
  const top = contentOf(mutate(manifest?.bytes ?? new Uint8Array(), changes), image.descriptor.mediaType);
  return { ...image, descriptor: top.descriptor, manifests: [top] };
}

import type { SignatureSource } from "../../src/signature/signature_source.ts";
import type { OciImage } from "../builders/oci_image.ts";
import { Repository } from "../lab/registry_store.ts";

/** A repository in memory as signatures see it, and what was asked of it. */
export interface MemorySource extends SignatureSource {
  /** `manifest <reference>`, `blob <digest>`, `referrers <digest>` in their order. */
  readonly requests: string[];
  put(image: OciImage, tag?: string): void;
}

/** An empty repository. */
export function memorySource(): MemorySource {
  const repository = new Repository();
  const requests: string[] = [];
  const note = (request: string, signal: AbortSignal): void => {
    signal.throwIfAborted();
    requests.push(request);
  };
  return {
    requests,
    put(image, tag) {
      repository.putImage(image);
      if (tag !== undefined) repository.tags.set(tag, image.descriptor.digest);
    },
    manifest(reference, signal) {
      note(`manifest ${reference}`, signal);
      return Promise.resolve(repository.manifest(reference));
    },
    blob({ digest }, limit, signal) {
      note(`blob ${digest}`, signal);
      const bytes = repository.blobs.get(digest);
      if (bytes === undefined || bytes.length > limit) {
        return Promise.reject(new RangeError(`no blob ${digest}`));
      }
      return Promise.resolve(bytes);
    },
    referrers(digest, signal) {
      note(`referrers ${digest}`, signal);
      return Promise.resolve(
        repository.referrers(digest).map(({ annotations, ...referrer }) => ({
          ...referrer,
          annotations: Object.fromEntries(
            Object.entries(annotations ?? {}).map(([name, value]) => [name, String(value)]),
          ),
        })),
      );
    },
  };
}

import { isUnder, repositoryName } from "./repository_name.ts";
import { quoted, SignatureError } from "./signature_error.ts";

/** What a signer stated about an image; worth nothing until the signature over it is verified. */
export interface Claim {
  /** The images spoken of: digest (`sha256:<hex>`) and the annotations given to it. */
  readonly subjects: readonly {
    readonly digest: string;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
  /** The repository the image was signed for; absent in forms that do not state it. */
  readonly reference?: string;
}

/** What a claim has to say to be about the image that was pulled. */
export interface ClaimDemand {
  /** `registry/repository` the image was asked for by. */
  readonly reference: string;
  /** Digests of the pulled index and manifest; one of them must be claimed. */
  readonly digests: readonly string[];
  /** Annotations that must be there, with these values. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Other repositories, or prefixes of them, it may have been signed for; `*` is any. */
  readonly signedAs: readonly string[];
}

/**
 * The digest of the image the claim is about.
 *
 * Throws {@linkcode SignatureError} `wrong-digest`, `wrong-reference` or `missing-annotation`, in that order.
 */
export function checkClaim(claim: Claim, demand: ClaimDemand): string {
  const subject = claim.subjects.find(({ digest }) => demand.digests.includes(digest));
  if (!subject) {
    const named = claim.subjects.map(({ digest }) => digest).slice(0, 3).join(", ");
    throw new SignatureError(
      "wrong-digest",
      `Cannot accept a signature of another image: it names ${quoted(named)}, wanted ${
        demand.digests.join(" or ")
      }`,
    );
  }
  checkReference(claim.reference, demand);
  for (const [name, value] of Object.entries(demand.annotations)) {
    const found = Object.hasOwn(subject.annotations, name) ? subject.annotations[name] : undefined;
    if (found !== value) {
      throw new SignatureError(
        "missing-annotation",
        `Cannot accept a signature without annotation '${name}=${value}': ${
          found === undefined ? "it has none of that name" : `it says ${quoted(found)}`
        }`,
      );
    }
  }
  return subject.digest;
}

/** cosign itself does not compare the docker-reference; without that, one repository's signature serves any other. */
function checkReference(claimed: string | undefined, demand: ClaimDemand): void {
  if (claimed === undefined) return;
  const signedFor = repositoryName(claimed);
  if (signedFor === repositoryName(demand.reference)) return;
  if (demand.signedAs.some((prefix) => isUnder(signedFor, prefix))) return;
  throw new SignatureError(
    "wrong-reference",
    `Cannot accept a signature made for another repository: it names ${quoted(claimed)}, wanted '${
      repositoryName(demand.reference)
    }'; name the other one in the policy's signedAs if this is a copy of it`,
  );
}

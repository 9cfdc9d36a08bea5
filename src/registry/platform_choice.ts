import { type Descriptor, formatPlatform, type Platform } from "./descriptor.ts";
import { documentKind } from "./media_types.ts";
import { RegistryError, shownText } from "./registry_error.ts";

/** Marks an entry that describes another one (BuildKit's attestations). */
const REFERENCE_TYPE = "vnd.docker.reference.type";

/** What an index entry is to somebody who looks for a platform. */
export type EntryRole = "attestation" | "nested-index" | "match" | "other" | "unnamed";

/** Tells what `entry` is to somebody who looks for `wanted`. */
export function entryRole(entry: Descriptor, wanted: Platform): EntryRole {
  if (isAttestation(entry)) return "attestation";
  if (documentKind(entry.mediaType) === "index") {
    return entry.platform === undefined || isUnnamed(entry.platform) || samePlatform(entry.platform, wanted)
      ? "nested-index"
      : "other";
  }
  if (entry.platform === undefined || isUnnamed(entry.platform)) return "unnamed";
  return samePlatform(entry.platform, wanted) ? "match" : "other";
}

/** True for entries that are about an image and are none. */
export function isAttestation({ platform, annotations }: Descriptor): boolean {
  return (platform?.os === "unknown" && platform.architecture === "unknown") ||
    Object.hasOwn(annotations, REFERENCE_TYPE);
}

/** Builders write platforms in lower case whatever they are given, so case does not count. */
export function samePlatform(found: Platform, wanted: Platform): boolean {
  const same = (left: string | undefined, right: string | undefined): boolean =>
    left?.toLowerCase() === right?.toLowerCase();
  return same(found.os, wanted.os) && same(found.architecture, wanted.architecture) &&
    (wanted.variant === undefined || same(found.variant, wanted.variant)) &&
    (wanted.osVersion === undefined || same(found.osVersion, wanted.osVersion));
}

/** The error for an index without the platform; it lists what is there, as that is what one asks next. */
export function platformMissing(name: string, wanted: Platform, seen: readonly Platform[]): RegistryError {
  const listed = [...new Set(seen.map((platform) => shownText(formatPlatform(platform), 60)))];
  const found = listed.length === 0
    ? "it has no platforms at all"
    : `it has ${listed.slice(0, 20).join(", ")}${
      listed.length > 20 ? ` and ${listed.length - 20} more` : ""
    }`;
  return new RegistryError(
    "platform-missing",
    `Cannot find platform '${formatPlatform(wanted)}' in '${name}': ${found}`,
  );
}

/** The error for a tag that is one image, for something else. */
export function wrongPlatform(name: string, wanted: Platform, found: Platform): RegistryError {
  const named = isUnnamed(found) ? "names no platform" : `is for '${shownText(formatPlatform(found), 60)}'`;
  return new RegistryError(
    "wrong-platform",
    `Cannot use '${name}': it is a single image and ${named}, wanted '${formatPlatform(wanted)}'`,
  );
}

function isUnnamed({ os, architecture }: Platform): boolean {
  return os === "" && architecture === "";
}

import type { MistakenFileKind } from "../../../src/image/file_kind.ts";
import type { ImageFindingCode, ImageInspection } from "../../../src/image/image_inspection.ts";
import type { Integrity } from "../../../src/image/integrity.ts";
import type { ImagePlace } from "../../../src/image/segments.ts";
import type { Bytes } from "../../builders/esp_bytes.ts";

/** What an inspection must say; what is left out is not compared. */
export interface WantedVerdict {
  /** An application, or what the file is instead. */
  readonly kind: "application" | MistakenFileKind;
  /** Name of the chip in the header. */
  readonly chip?: string;
  /** Whether the bytes are those that were built. */
  readonly integrity?: Integrity["verdict"];
  /** The part that is cut or wrong. */
  readonly where?: ImagePlace;
  /** Bytes missing. */
  readonly missing?: number;
  /** Signatures in order, as "scheme validity". */
  readonly signatures?: readonly string[];
  /** Where the application stands in a merged image; -1 where that is not known. */
  readonly applicationOffset?: number;
  /** Findings that must be there, as "severity code". */
  readonly findings?: readonly `${"error" | "warn" | "info"} ${ImageFindingCode}`[];
  /** Findings that must not be there. */
  readonly absent?: readonly ImageFindingCode[];
  /** Words that the description of a mistaken file must hold. */
  readonly says?: RegExp;
  /** Bytes that must fit the partition. */
  readonly fullLength?: number;
}

/** One file and what must be said of it. */
export interface VerdictCase {
  /** Names the case in the output of a test run. */
  readonly name: string;
  /** Makes the file. */
  readonly file: () => Bytes;
  /** What must be said. */
  readonly want: WantedVerdict;
}

/** The part of an inspection that `want` speaks of, in the words of `want`: the two are then simply equal. */
export function verdictOf(inspection: ImageInspection, want: WantedVerdict): WantedVerdict {
  const image = inspection.kind === "application" ? inspection : inspection.image;
  const found = image?.findings ?? [];
  const said = inspection.kind === "application" ? "" : `${inspection.found}; ${inspection.remedy}`;
  const codes = found.map(({ code }) => code);
  const verdict: Required<WantedVerdict> = {
    kind: inspection.kind === "application" ? "application" : inspection.what,
    chip: image?.chip.name ?? "none",
    integrity: image?.integrity.verdict ?? "unverified",
    where: image?.integrity.where ?? "header",
    missing: image?.integrity.missing ?? 0,
    signatures: image?.signatures.map(({ scheme, valid }) => `${scheme} ${valid}`) ?? [],
    applicationOffset: inspection.kind === "mistaken" ? inspection.applicationOffset ?? -1 : -1,
    findings:
      want.findings?.filter((wanted) =>
        found.some(({ severity, code }) => wanted === `${severity} ${code}`)
      ) ?? [],
    absent: want.absent?.filter((code) => !codes.includes(code)) ?? [],
    says: want.says?.test(said) ? want.says : new RegExp(RegExp.escape(said)),
    fullLength: image?.fullLength ?? 0,
  };
  const spoken = Object.entries(verdict).filter(([field]) => field in want);
  return Object.fromEntries(spoken) as unknown as WantedVerdict;
}

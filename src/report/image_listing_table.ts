import type { ListedDocument, ListedImage, ListedLayer } from "./inspect_report.ts";
import { counted, printable, type Row, rows } from "./table_rows.ts";

/** BuildKit's: which entry an attestation is about. */
const ABOUT = "vnd.docker.reference.digest";

/** Said in the heading of an attestation already. */
const IN_HEADING = /^vnd\.docker\.reference\./;

/** Annotations of layers that tell what is in them. */
const LAYER_ANNOTATIONS = ["org.opencontainers.image.title", "in-toto.io/predicate-type"];

/** What a reference offers, for people, line by line. The lines hold no control characters, whatever the registry says. */
export function imageListingTable(image: ListedImage): string[] {
  const kinds = [...new Set(image.entries.map(({ kind }) => kind))];
  const offered = kinds.map((kind) => {
    const { length } = image.entries.filter((entry) => entry.kind === kind);
    return kind === "unreadable" ? `${length} unreadable` : counted(length, kind);
  });
  return [
    ...rows([
      ["Reference", image.reference],
      ["Media type", image.mediaType],
      ["Digest", image.digest],
      ["Size", `${image.size} bytes`],
      ["Offers", offered.join(", ") || "nothing"],
      ...annotationRows(image.annotations),
    ]),
    ...image.entries.flatMap((entry) => ["", ...entryLines(entry)]),
  ];
}

function entryLines(entry: ListedDocument): string[] {
  const { layers, contentSize } = entry;
  return [
    printable(heading(entry)),
    ...rows([
      ["Name", entry.name],
      ["Media type", entry.mediaType],
      ["Digest", entry.digest],
      ["Size", `${entry.size} bytes`],
      ...(entry.kind === "index" || entry.kind === "unreadable"
        ? []
        : [contentRow(layers.length, contentSize)]),
      ...layers.flatMap(layerRows),
      ...annotationRows(entry.annotations),
    ], 2),
  ];
}

function heading({ kind, platform, artifactType, annotations }: ListedDocument): string {
  const place = platform === undefined ? "" : ` for ${platform}`;
  if (kind === "image") return `Image${place || ", its platform is not named"}`;
  if (kind === "artifact") return `Artifact ${artifactType ?? ""}${place}`;
  if (kind === "index") return `Index${place}, its own entries are not listed`;
  if (kind === "unreadable") return `An entry${place} that cannot be read`;
  return `Attestation of ${annotations[ABOUT] ?? "an entry that is not named"}`;
}

function contentRow(count: number, bytes: number): Row {
  return ["Content", `${bytes} bytes in ${counted(count, "layer")}`];
}

function layerRows({ digest, size, mediaType, annotations }: ListedLayer): Row[] {
  const told = LAYER_ANNOTATIONS.filter((name) => annotations[name] !== undefined);
  return [
    ["Layer", `${digest}  ${size} bytes  ${mediaType}`],
    ...told.map((name): Row => ["", `${name}=${annotations[name]}`]),
  ];
}

function annotationRows(annotations: Readonly<Record<string, string>>): Row[] {
  return Object.entries(annotations).filter(([name]) => !IN_HEADING.test(name))
    .map(([name, value]) => ["Annotation", `${name}=${value}`]);
}

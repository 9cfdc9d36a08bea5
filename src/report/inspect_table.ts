import { imageListingTable } from "./image_listing_table.ts";
import type {
  Finding,
  FirmwareVerdict,
  InspectedFile,
  InspectReport,
  SignatureFacts,
} from "./inspect_report.ts";
import { type Row, rows } from "./table_rows.ts";

const noFirmware: Row = ["Firmware", "not looked at; --device NAME shows the one for a device"];

/** The whole look for people; `fileTable` is what the image room says of the firmware file. */
export function inspectTable(report: InspectReport, fileTable: readonly string[]): string[] {
  const { image, firmware, signature } = report;
  const parts = [
    image === undefined ? [] : imageListingTable(image),
    firmware === undefined ? rows([noFirmware]) : [...rows(firmwareRows(firmware)), ...fileTable],
    rows([
      ...(firmware === undefined ? [] : verdictRows(firmware.verdict)),
      ...(signature === undefined ? [] : [signatureRow(signature)]),
    ]),
  ].filter((part) => part.length > 0);
  return parts.flatMap((part, index) => index === 0 ? part : ["", ...part]);
}

function firmwareRows({ path, sha256, foundIn }: InspectedFile): Row[] {
  return [
    ["Firmware", path],
    ...(foundIn === undefined ? [] : [["Platform", foundIn.platform] as const]),
    ["SHA-256", sha256],
  ];
}

function verdictRows({ state, device, refusals, overridden, warnings }: FirmwareVerdict): Row[] {
  const judged = device === undefined ? "no device was named to judge it for" : `for ${device}`;
  const [first] = refusals;
  return [
    [
      "Verdict",
      first === undefined ? `${state}, ${judged}` : `${state} (flash would exit ${first.exit}), ${judged}`,
    ],
    ...refusals.map((finding) => findingRow("Refused", finding)),
    ...overridden.map((finding) => findingRow("Overridden", finding)),
    ...warnings.map((finding) => findingRow("Warning", finding)),
  ];
}

function findingRow(name: string, { code, message }: Finding): Row {
  return [name, `${message} [${code}]`];
}

function signatureRow({ state, code, message }: SignatureFacts): Row {
  const verdict = code === undefined ? state : `${state} (${code})`;
  return ["Signature", state === "not-checked" ? message : `${verdict}: ${message}`];
}

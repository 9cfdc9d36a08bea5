import { createHash } from "node:crypto";
import { type InspectedFirmware, inspectFirmware, judgeFirmware } from "../check_firmware.ts";
import { imageTable, toImageJson } from "../image/image_table.ts";
import type { CheckSettings } from "../job/check_config.ts";
import { JobFailure, REFUSAL_EXITS } from "../job/job_outcome.ts";
import type { FirmwareVerdict, InspectReport } from "../report/inspect_report.ts";
import type { World } from "../world.ts";
import type { CommandContext } from "./command.ts";
import type { InspectRequest } from "./inspect_command.ts";

/** What was found, and its firmware file's table for people. */
export interface Look {
  /** For programs. */
  readonly report: InspectReport;
  /** Empty when no firmware was looked at. */
  readonly fileTable: readonly string[];
}

/** Bytes hashed at a time: as much as the system reads ahead. */
const CHUNK = 128 * 1024;

/** Looks at a file on this machine. Throws {@linkcode JobFailure} `local-io` when it cannot be read. */
export async function lookAtFile(
  path: string,
  request: InspectRequest,
  { world, signal }: CommandContext,
): Promise<Look> {
  const sha256 = await sha256OfFile(path, world, signal);
  const { fileTable, ...firmware } = await lookAtFirmware(path, request, { world, signal });
  return { report: { outcome: "inspected", code: 0, firmware: { path, sha256, ...firmware } }, fileTable };
}

/** What a firmware file is and what flash would say of it. */
export async function lookAtFirmware(
  path: string,
  { check, keys, pull }: Pick<InspectRequest, "check" | "keys" | "pull">,
  { world, signal }: { readonly world: World; readonly signal: AbortSignal },
): Promise<{ file: Record<string, unknown>; verdict: FirmwareVerdict; fileTable: string[] }> {
  const inspected = await inspectFirmware(path, { check, keys }, world, signal);
  return {
    file: toImageJson(inspected.inspection),
    verdict: verdictOf(inspected, check, pull?.device),
    fileTable: imageTable(inspected.inspection),
  };
}

function verdictOf(
  inspected: InspectedFirmware,
  check: CheckSettings,
  device: string | undefined,
): FirmwareVerdict {
  const { refusals, overridden, warnings } = judgeFirmware(inspected, check, {
    device,
    reportedDevice: undefined,
  });
  return {
    state: refusals.length > 0 ? "refused" : "accepted",
    ...(device === undefined ? {} : { device }),
    refusals: refusals.map((refusal) => ({ ...refusal, exit: REFUSAL_EXITS[refusal.code] })),
    overridden,
    warnings,
  };
}

async function sha256OfFile(path: string, world: World, signal: AbortSignal): Promise<string> {
  try {
    const facts = await world.files.facts(path);
    if (!facts?.isFile) throw new Error(facts === undefined ? "nothing is there" : "it is no file");
    using file = await world.files.open(path);
    const hash = createHash("sha256");
    const chunk = new Uint8Array(CHUNK);
    for (let read = await file.read(chunk); read !== null; read = await file.read(chunk)) {
      signal.throwIfAborted();
      hash.update(chunk.subarray(0, read));
    }
    return hash.digest("hex");
  } catch (cause) {
    signal.throwIfAborted();
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new JobFailure("local-io", `Cannot inspect '${path}': ${found}`, { cause });
  }
}

import { OUTCOMES } from "../../src/job/job_outcome.ts";
import { serverPair } from "../builders/certificates.ts";
import { startAttestation } from "./attestation.ts";
import { writeClassicAgent } from "./classic_agent.ts";
import { startLab } from "./lab_world.ts";
import { type AgentKind, AGENTS, deadlinesOf, type OutcomeCase, outcomeCases } from "./outcome_cases.ts";
import { type OutcomeRun, runOutcomeJob, runsImage, updateRequests } from "./outcome_run.ts";
import { visit } from "./strangers.ts";

/** One case with one agent, as it went. */
export interface MatrixCell {
  readonly case: OutcomeCase;
  readonly agent: AgentKind;
  readonly run: OutcomeRun;
  /** Whether the device runs the image, byte for byte. */
  readonly runsImage: boolean;
  /** How often the device was asked to update. */
  readonly updateRequests: number;
}

/** Cases run at the same time: each has its own lab, and mostly waits. */
const SIDE_BY_SIDE = 8;

/** On the times of the classic agent: of 20 s without progress are left 2 s, in which any machine gives a device a turn. */
const CLASSIC_PACE = 1 / 10;

/** Runs every case with both agents. */
export async function runMatrix(cases: readonly OutcomeCase[]): Promise<MatrixCell[]> {
  const waiting = cases.flatMap((row) => AGENTS.map((agent) => ({ row, agent })));
  const cells: MatrixCell[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      cells.push(await runCell(next.row, next.agent));
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return cells;
}

/** Runs one case with one agent in a lab of its own. */
export async function runCell(row: OutcomeCase, agent: AgentKind): Promise<MatrixCell> {
  const visits: Promise<unknown>[] = [];
  const { pinned } = await serverPair();
  const { promise: arrival, resolve: onArrival } = Promise.withResolvers<void>();
  await using lab = await startLab({
    ...row.lab,
    ...(row.stranger === undefined ? {} : { behaviour: { ...row.lab.behaviour, dials: { after: arrival } } }),
    onDeviceEvent({ name, detail }) {
      if (row.stranger === undefined || name !== "request" || !detail.startsWith("POST")) return;
      // Who is turned away at the door was there before the device too.
      visits.push(visit(row.stranger, { port: lab.agentPort, pinned, onArrival }).finally(onArrival));
    },
  });
  await using openServer = row.knowsEveryone ? startAttestation() : undefined;
  const classic = await writeClassicAgent(lab.directory, { port: lab.agentPort, timeScale: CLASSIC_PACE });
  const run = await runOutcomeJob(lab, {
    environment: {
      ...deadlinesOf(row),
      OTA_AGENT_PATH: agent === "builtin" ? "builtin" : classic,
      ...(openServer === undefined ? {} : { DICE_AUTH_SERVICE_SERVICE_PORT: `${openServer.port}` }),
    },
  });
  await Promise.all(visits);
  return { case: row, agent, run, runsImage: runsImage(lab), updateRequests: updateRequests(lab) };
}

/** The cells as tables, group by group: how each case ends, and what was seen of the device. */
export function matrixTables(cells: readonly MatrixCell[]): string {
  const groups = [...new Set(outcomeCases.map((row) => row.group))];
  return groups.map((group) => {
    const rows = cells.filter((cell) => cell.case.group === group);
    return `## ${group}\n\n${groupTable(rows)}`;
  }).join("\n\n");
}

function groupTable(cells: readonly MatrixCell[]): string {
  const names = [...new Set(cells.map((cell) => cell.case.name))].sort();
  const rows = names.map((name) => [
    name,
    ...AGENTS.flatMap((agent) => {
      const cell = cells.find((candidate) => candidate.case.name === name && candidate.agent === agent);
      if (cell === undefined) return ["", ""];
      const words = cell.case.ends[agent].map((outcome) => `${OUTCOMES[outcome].exit} \`${outcome}\``);
      return [words.join(" or "), cell.runsImage ? "new" : "old"];
    }),
  ]);
  return table(["case", "built-in agent", "runs", "classic agent", "runs"], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)]
    .join("\n");
}

/**
 * How a job ends, whatever happens outside, with either agent; and that exit code 0 is only said of a device which
 * runs the image. The run writes docs/outcomes.md:
 *
 *     UPDATE_DOCS=1 deno test -A tests/flash_job_outcomes_test.ts
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { OUTCOMES } from "../src/job/job_outcome.ts";
import { outcomeCases } from "./lab/outcome_cases.ts";
import { type MatrixCell, matrixTables, runCell, runMatrix } from "./lab/outcome_matrix.ts";

const DOCUMENT = fileURLToPath(new URL("../docs/outcomes.md", import.meta.url));

Deno.test("flashJob: every case outside has its outcome with either agent, and 0 only for a device that runs the image", async () => {
  const crowded = await runMatrix(outcomeCases);
  assert(crowded.length >= 60, `only ${crowded.length} combinations`);
  assertEquals(crowded.flatMap(graveFaultsOf), []);
  // The lab lives in milliseconds: on a machine that is busy elsewhere a restart may go by unseen, so whatever ended
  // otherwise than it should is run once more, alone. A false success is none of that.
  const cells: MatrixCell[] = [];
  for (const cell of crowded) {
    if (isAsExpected(cell)) {
      cells.push(cell);
      continue;
    }
    console.log(
      `Once more, alone: ${nameOf(cell)}, which ended as ${cell.run.report.outcome}\n${cell.run.story}`,
    );
    cells.push(await runCell(cell.case, cell.agent));
  }
  assertEquals(cells.flatMap((cell) => [...graveFaultsOf(cell), ...unexpectedEndOf(cell)]), []);
  const before = await Deno.readTextFile(DOCUMENT);
  const document = withTables(before, matrixTables(cells));
  if (Deno.env.get("UPDATE_DOCS") === "1") await Deno.writeTextFile(DOCUMENT, document);
  else assertEquals(before, document, "UPDATE_DOCS=1 writes the tables of docs/outcomes.md anew");
});

function nameOf(cell: MatrixCell): string {
  return `${cell.case.group}, ${cell.case.name}, ${cell.agent}`;
}

function isAsExpected(cell: MatrixCell): boolean {
  return cell.case.ends[cell.agent].includes(cell.run.report.outcome);
}

function unexpectedEndOf(cell: MatrixCell): string[] {
  const { report, story } = cell.run;
  if (isAsExpected(cell)) return [];
  const wanted = cell.case.ends[cell.agent].join(" or ");
  return [`${nameOf(cell)}: it ended as ${report.outcome}, wanted ${wanted}\n${story}`];
}

/** What no run may do, in words. */
function graveFaultsOf(cell: MatrixCell): string[] {
  const { report, leftovers, story } = cell.run;
  const faults: string[] = [];
  if (report.code !== OUTCOMES[report.outcome].exit) faults.push(`its exit code is ${report.code}`);
  if (report.code === 0 && !cell.runsImage) {
    faults.push("it claims success and the device runs its old image");
  }
  if (cell.updateRequests > 1) faults.push(`the device was asked ${cell.updateRequests} times`);
  if (leftovers.length > 0) faults.push(`it left behind: ${leftovers.join(", ")}`);
  return faults.map((fault) => `${nameOf(cell)}: ${fault}\n${story}`);
}

/** The document with its tables made anew. */
function withTables(document: string, tables: string): string {
  const [begin, end] = ["<!-- cases -->", "<!-- end of cases -->"];
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  assert(
    from >= 0 && to > from,
    `docs/outcomes.md has no place for the tables between '${begin}' and '${end}'`,
  );
  return `${document.slice(0, from + begin.length)}\n\n${tables}\n\n${document.slice(to)}`;
}

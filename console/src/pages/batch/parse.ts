import Papa from "papaparse";
import type { RequestBody } from "@/api/client";

/** One request of a file. `line` is where it begins, as an editor counts; a row of texts is read as a form is. */
export type Row = { line: number; fields: Record<string, unknown>; texts: boolean; problem: string | null };
export type Parsed = { rows: Row[]; problem: "empty" | "noPrompt" | "tooMany" | "kind" | null };

export const MAX_ROWS = 1_000;
export const MAX_BYTES = 5_000_000;

export const parse = (name: string, text: string): Parsed => {
  const kind = name.toLowerCase().split(".").at(-1);
  const source = text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n");
  const rows = kind === "csv" || kind === "tsv" ? csvRows(source) : kind === "jsonl" || kind === "ndjson" ? jsonRows(source) : null;
  if (rows === null) return { rows: [], problem: "kind" };
  if (rows === "noPrompt") return { rows: [], problem: "noPrompt" };
  if (rows.length === 0) return { rows: [], problem: "empty" };
  return rows.length > MAX_ROWS ? { rows: [], problem: "tooMany" } : { rows, problem: null };
};

const csvRows = (text: string): Row[] | "noPrompt" => {
  const found: { line: number; cells: string[]; problem: string | null }[] = [];
  let line = 1;
  let seen = 0;
  Papa.parse<string[]>(text, {
    delimitersToGuess: [",", ";", "\t"],
    step: ({ data, errors, meta }) => {
      found.push({ line, cells: data, problem: errors[0]?.message ?? null });
      line += text.slice(seen, meta.cursor).split("\n").length - 1;
      seen = meta.cursor;
    },
  });
  const filled = found.filter(({ cells }) => cells.some((cell) => cell.trim() !== ""));
  const header = filled.shift()?.cells.map((cell) => cell.trim()) ?? [];
  if (filled.length > 0 && !header.some((name) => name === "prompt" || name.startsWith("shots"))) return "noPrompt";
  return filled.map((row) => {
    const cells = row.cells.map((cell, index) => [header[index] ?? "", cell] as const).filter(([, cell]) => cell.trim() !== "");
    const surplus = row.cells.length > header.length ? `${row.cells.length} > ${header.length}` : null;
    return { line: row.line, fields: Object.fromEntries(cells), texts: true, problem: row.problem ?? surplus };
  });
};

const jsonRows = (text: string): Row[] =>
  text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [jsonRow(line, index + 1)]));

const jsonRow = (text: string, line: number): Row => {
  try {
    const fields: unknown = JSON.parse(text);
    if (fields !== null && typeof fields === "object" && !Array.isArray(fields)) {
      return { line, fields: fields as Record<string, unknown>, texts: false, problem: null };
    }
    return { line, fields: {}, texts: false, problem: "JSON: { }" };
  } catch (error) {
    return { line, fields: {}, texts: false, problem: error instanceof Error ? error.message : "JSON" };
  }
};

/** The row as openapi-fetch sends it: a row of texts as a form, so that the API reads "2" as a number where it needs one. */
export const sent = (row: Row) =>
  row.texts
    ? {
        body: row.fields as unknown as RequestBody,
        bodySerializer: (fields: unknown) => new URLSearchParams(fields as Record<string, string>).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
      }
    : { body: row.fields as unknown as RequestBody };

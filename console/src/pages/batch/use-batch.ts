import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useReducer, useRef } from "react";
import { api, body, type Quote, type Video } from "@/api/client";
import { type ApiError, asApiError } from "@/api/errors";
import { hasEnded } from "@/api/queries";
import { activeAccount } from "@/api/session";
import { eachOf } from "@/lib/each-of";
import { MAX_BYTES, type Parsed, parse, type Row, sent } from "@/pages/batch/parse";

const AT_ONCE = 4;
const FOLLOWED_AT_ONCE = 20;
const LOOK_EVERY_MS = 3_000;
const LIMITED_WAIT_S = 5;

export type Entry = { row: Row; quote?: Quote; error?: ApiError; video?: Video };
export type Stage = "empty" | "checking" | "checked" | "sending" | "sent";
type Batch = { stage: Stage; name: string; digest: string; problem: Parsed["problem"] | "tooLarge"; entries: Entry[] };
type Change = Partial<Omit<Batch, "entries">> & { entries?: Entry[]; at?: number; entry?: Partial<Entry> };

const EMPTY: Batch = { stage: "empty", name: "", digest: "", problem: null, entries: [] };

const reduce = (batch: Batch, { at, entry, ...change }: Change): Batch => ({
  ...batch,
  ...change,
  entries:
    at === undefined
      ? (change.entries ?? batch.entries)
      : batch.entries.map((each, index) => (index === at ? { ...each, ...entry } : each)),
});

/** A file of requests on its way: read, asked about row by row, sent once each, followed. */
export const useBatch = () => {
  const [batch, change] = useReducer(reduce, EMPTY);
  const client = useQueryClient();
  const run = useRef(0);

  /** Tells from now on whether the page still has this file, and is still this tenant's: calls go out with the active key. */
  const current = () => {
    const mine = run.current;
    const key = activeAccount()?.key;
    return () => run.current === mine && activeAccount()?.key === key;
  };

  const check = async (file: File) => {
    run.current++;
    const isCurrent = current();
    if (file.size > MAX_BYTES) return change({ ...EMPTY, name: file.name, problem: "tooLarge" });
    const text = await file.text();
    const { rows, problem } = parse(file.name, text);
    const digest = await digestOf(text);
    if (!isCurrent()) return;
    const entries = rows.map((row) => ({ row }));
    change({ stage: problem ? "empty" : "checking", name: file.name, digest, problem, entries });
    if (problem) return;
    await eachOf(rows, AT_ONCE, async (row, at) => {
      if (row.problem !== null || !isCurrent()) return;
      const entry = await outcome(isCurrent, async () => ({ quote: body(await api.POST("/v1/videos/estimate", sent(row))) }));
      if (isCurrent()) change({ at, entry });
    });
    if (isCurrent()) change({ stage: "checked" });
  };

  /** Send every row that was not refused; the same file again makes no second video. */
  const submit = async () => {
    const isCurrent = current();
    change({ stage: "sending" });
    await eachOf(batch.entries, AT_ONCE, async ({ row, quote, video }, at) => {
      if (!quote || quote.feasible === false || video || !isCurrent()) return;
      const key = `batch-${batch.digest}-${row.line}`;
      let entry = await outcome(isCurrent, () => post(row, key));
      // What was made of this row before and then deleted is made anew.
      const gone = entry.error?.code === "video_deleted";
      if (gone && isCurrent()) entry = await outcome(isCurrent, () => post(row, `${key}-${Date.now()}`));
      if (isCurrent()) change({ at, entry });
    });
    if (isCurrent()) change({ stage: "sent" });
    void client.invalidateQueries({ queryKey: ["get", "/v1/videos"] });
  };

  const followed = useRef(batch.entries);
  followed.current = batch.entries;
  useEffect(() => {
    if (batch.stage !== "sent") return;
    const isCurrent = current();
    const look = async () => {
      const waiting = followed.current
        .map(({ video }, at) => ({ video, at }))
        .filter(({ video }) => video && !hasEnded(video.status))
        .slice(0, FOLLOWED_AT_ONCE);
      await eachOf(waiting, AT_ONCE, async ({ video, at }) => {
        if (!video || !isCurrent()) return;
        const params = { path: { video_id: video.id } };
        const found = await api.GET("/v1/videos/{video_id}", { params }).catch((error) => {
          if (asApiError(error).status === 404) return null; // deleted meanwhile: the others are followed on
          throw error;
        });
        if (isCurrent()) change({ at, entry: found ? { video: body(found) } : { video: { ...video, status: "cancelled" } } });
      }).catch(() => undefined); // the banner tells of an API that is down; the next look may find it up
    };
    const timer = setInterval(look, LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, [batch.stage]);

  const reset = () => {
    run.current++;
    change(EMPTY);
  };
  return { ...batch, check, submit, reset };
};

const post = async (row: Row, key: string): Promise<Partial<Entry>> => ({
  video: body(await api.POST("/v1/videos", { ...sent(row), params: { header: { "Idempotency-Key": key } } })),
});

/** What came of a call; a key's rate limit is waited for, as often as it says so, while the answer `isWanted`. */
const outcome = async (isWanted: () => boolean, call: () => Promise<Partial<Entry>>): Promise<Partial<Entry>> => {
  for (;;) {
    try {
      return await call();
    } catch (caught) {
      const error = asApiError(caught);
      if (error.status !== 429 || !error.passing) return { error };
      await new Promise((done) => setTimeout(done, 1000 * (error.retryAfterS ?? LIMITED_WAIT_S)));
      if (!isWanted()) return { error };
    }
  }
};

const digestOf = async (text: string): Promise<string> => {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...bytes.slice(0, 12)].map((each) => each.toString(16).padStart(2, "0")).join("");
};

import { FileSpreadsheet, Rocket, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import { hasEnded, useFleet } from "@/api/queries";
import { DropArea } from "@/components/drop-area";
import { Button } from "@/components/ui/button";
import { Bar, Notice, Page } from "@/components/ui/display";
import { number, span, usd } from "@/lib/format";
import { BatchTable } from "@/pages/batch/batch-table";
import { type Entry, type Stage, useBatch } from "@/pages/batch/use-batch";
import { Tile } from "@/pages/fleet/tile";

const KINDS = { "text/csv": [".csv", ".tsv"], "application/jsonl": [".jsonl", ".ndjson"] };

export const BatchPage = () => {
  const { t } = useTranslation();
  const batch = useBatch();
  return (
    <Page
      title={t("batch.title")}
      hint={t("batch.hint")}
      aside={
        batch.stage !== "empty" && (
          <Button onClick={batch.reset}>
            <RotateCcw />
            {t("batch.another")}
          </Button>
        )
      }
    >
      {batch.stage === "empty" && (
        <div className="grid gap-4">
          {batch.problem && <Notice tone="bad" title={t(`batch.problems.${batch.problem}`, { name: batch.name })} />}
          <DropArea
            accept={KINDS}
            icon={<FileSpreadsheet aria-hidden />}
            title={t("batch.drop")}
            hint={t("batch.kinds")}
            className="py-16"
            onFiles={([file]) => file && void batch.check(file)}
          />
          <pre className="overflow-x-auto rounded-2xl bg-raised p-4 font-mono text-xs" tabIndex={0} role="region" aria-label={t("batch.example")}>
            {"prompt,model,seconds,seed\n"}
            {`${t("batch.exampleRow")},wan-mini,2,7`}
          </pre>
        </div>
      )}
      {batch.stage !== "empty" && (
        <div className="grid gap-6">
          <Totals entries={batch.entries} stage={batch.stage} onSubmit={batch.submit} />
          <BatchTable entries={batch.entries} />
        </div>
      )}
    </Page>
  );
};

type TotalsProps = { entries: Entry[]; stage: Stage; onSubmit: () => void };

/** The lot in figures, and the way to send it. */
const Totals = ({ entries, stage, onSubmit }: TotalsProps) => {
  const { t } = useTranslation();
  const fleet = useFleet(15_000).data;
  const slots = Math.max(1, fleet?.instances.flatMap((instance) => instance.slots ?? []).length ?? 1);
  const good = entries.filter(({ quote }) => quote && quote.feasible !== false);
  const refused = entries.filter(({ row, error, quote }) => row.problem || error || quote?.feasible === false).length;
  const seconds = good.reduce((sum, { quote }) => sum + (quote?.compute_seconds ?? 0), 0);
  const costs = good.map(({ quote }) => quote?.cost_usd ?? null);
  const cost = costs.includes(null) ? null : costs.reduce<number>((sum, each) => sum + (each ?? 0), 0);
  const ended = entries.filter(({ video }) => video && hasEnded(video.status)).length;
  const videos = entries.filter(({ video }) => video).length;
  const share = { checking: (good.length + refused) / entries.length, sending: videos / Math.max(1, good.length), sent: ended / Math.max(1, videos) };
  return (
    <section aria-label={t("batch.totals")} className="grid gap-4">
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4" aria-live="polite">
        <Tile label={t("batch.good")} value={number(good.length)} note={t("batch.ofRows", { count: entries.length })} />
        <Tile label={t("batch.refused")} value={number(refused)} note={refused > 0 ? t("batch.seeRows") : undefined} />
        <Tile label={t("quote.cost")} value={good.length === 0 ? "—" : cost === null ? t("create.figures.noPrice") : usd(cost)} />
        <Tile label={t("quote.compute")} value={span(seconds)} note={t("batch.onSlots", { count: slots, time: span(seconds / slots) })} />
      </dl>
      {stage !== "checked" && stage !== "empty" && (
        <div className="grid gap-1.5">
          <p className="text-sm">{t(`batch.stages.${stage}`, { done: number(ended), all: number(videos) })}</p>
          <Bar value={share[stage]} label={t(`batch.stages.${stage}`, { done: number(ended), all: number(videos) })} />
        </div>
      )}
      {(stage === "checked" || stage === "checking") && (
        <Button
          look="primary"
          size="large"
          className="justify-self-start"
          disabled={stage !== "checked" || good.length === 0}
          onClick={onSubmit}
        >
          <Rocket />
          {t("batch.submit", { count: good.length })}
        </Button>
      )}
    </section>
  );
};

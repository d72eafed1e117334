import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef } from "react";
import { useTranslation } from "react-i18next";
import { StateBadge } from "@/components/state-badge";
import { Badge } from "@/components/ui/display";
import { span, usd } from "@/lib/format";
import type { Entry } from "@/pages/batch/use-batch";

const ROW_HEIGHT = 52;
const columns = "grid grid-cols-[3.5rem_minmax(0,1fr)_8rem] items-center gap-3 sm:grid-cols-[3.5rem_minmax(0,1fr)_9rem_5.5rem_5.5rem_9rem]";

/** Every row of the file, with what is wrong with it in its place. */
export const BatchTable = ({ entries }: { entries: Entry[] }) => {
  const { t } = useTranslation();
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: entries.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 8,
  });
  return (
    <div role="table" aria-label={t("batch.rows")} aria-rowcount={entries.length + 1} className="overflow-hidden rounded-2xl border bg-surface">
      <div role="rowgroup">
        <div role="row" className={`${columns} border-b px-4 py-2.5 text-xs font-medium text-quiet`}>
          <span role="columnheader">{t("batch.line")}</span>
          <span role="columnheader">{t("create.prompt")}</span>
          <span role="columnheader" className="max-sm:hidden">
            {t("create.model")}
          </span>
          <span role="columnheader" className="text-right max-sm:hidden">
            {t("quote.compute")}
          </span>
          <span role="columnheader" className="text-right max-sm:hidden">
            {t("quote.cost")}
          </span>
          <span role="columnheader" className="text-right">
            {t("gallery.state")}
          </span>
        </div>
      </div>
      <div ref={box} role="rowgroup" tabIndex={0} aria-label={t("batch.rows")} className="max-h-[60dvh] overflow-y-auto">
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const entry = entries[item.index];
            return (
              entry && (
                <div
                  key={item.key}
                  role="row"
                  aria-rowindex={item.index + 2}
                  className={`${columns} absolute inset-x-0 border-b px-4 text-sm`}
                  style={{ height: ROW_HEIGHT, transform: `translateY(${item.start}px)` }}
                >
                  <Cells entry={entry} />
                </div>
              )
            );
          })}
        </div>
      </div>
    </div>
  );
};

const Cells = ({ entry: { row, quote, error, video } }: { entry: Entry }) => {
  const { t } = useTranslation();
  const wrong = row.problem ?? error?.message ?? (quote?.feasible === false ? quote.reason : null);
  const prompt = row.fields["prompt"] ?? row.fields["shots"] ?? "";
  return (
    <>
      <span role="cell" className="numbers text-quiet">
        {row.line}
      </span>
      <span role="cell" className="min-w-0">
        <span className="block truncate">{typeof prompt === "string" ? prompt : JSON.stringify(prompt)}</span>
        {wrong && (
          <span className="block truncate text-xs text-bad" title={wrong}>
            {error?.param && <b className="font-mono">{error.param}: </b>}
            {wrong}
          </span>
        )}
      </span>
      <span role="cell" className="truncate text-quiet max-sm:hidden">
        {quote?.model ?? String(row.fields["model"] ?? "")}
      </span>
      <span role="cell" className="numbers text-right text-quiet max-sm:hidden">
        {quote ? span(quote.compute_seconds) : ""}
      </span>
      <span role="cell" className="numbers text-right text-quiet max-sm:hidden">
        {quote?.cost_usd == null ? "" : usd(quote.cost_usd)}
      </span>
      <span role="cell" className="text-right">
        {video ? (
          <Link to="/videos/$videoId" params={{ videoId: video.id }} className="inline-flex rounded-full">
            <StateBadge state={video.status} />
          </Link>
        ) : (
          <Badge tone={wrong ? "bad" : quote ? "good" : "neutral"}>
            {wrong ? t("batch.isRefused") : quote ? t("batch.isGood") : t("batch.isAsked")}
          </Badge>
        )}
      </span>
    </>
  );
};

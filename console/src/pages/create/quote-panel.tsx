import { CalendarClock, CircleAlert, Coins, Hourglass, Rocket, Timer } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Quote } from "@/api/client";
import type { ApiError } from "@/api/errors";
import { useFleet } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Card, CardTitle, Notice, Skeleton } from "@/components/ui/display";
import { cn } from "@/lib/cn";
import { explain } from "@/lib/explain";
import { clock, span, usd } from "@/lib/format";

type Props = {
  quote: Quote | undefined;
  error: ApiError | null;
  missing: string | null;
  fresh: boolean;
  sending: boolean;
  onSubmit: () => void;
};

/** What the video would cost and take, as it is written, and the way to make it. */
export const QuotePanel = ({ quote, error, missing, fresh, sending, onSubmit }: Props) => {
  const { t } = useTranslation();
  const asleep = useFleet(15_000).data?.instances.length === 0;
  const problem = error && explain(error, t);
  const refused = error !== null || quote?.feasible === false;
  return (
    <Card className="grid gap-4" aria-label={t("quote.title")}>
      <CardTitle>{t("quote.title")}</CardTitle>
      {quote && !error && (
        <div aria-live="polite" data-testid="quote">
          <Figures quote={quote} asleep={asleep} stale={!fresh} />
        </div>
      )}
      {!quote && !error && missing === null && <Skeleton className="h-36" />}
      {!quote && !error && missing !== null && <p className="py-6 text-center text-sm text-quiet">{missing}</p>}
      {problem && (
        <Notice tone="bad" title={problem.title}>
          {problem.detail}
        </Notice>
      )}
      {!error && quote?.feasible === false && (
        <Notice tone="warn" title={t("quote.impossible")}>
          {quote.reason}
        </Notice>
      )}
      {quote?.feasible === null && !error && (
        <p className="flex gap-2 text-xs text-quiet">
          <CircleAlert aria-hidden className="size-4 shrink-0" />
          {t("quote.unknown")}
        </p>
      )}
      <Button look="primary" size="large" disabled={missing !== null || refused || sending} onClick={onSubmit}>
        <Rocket />
        {sending ? t("quote.sending") : t("quote.submit")}
      </Button>
      <p className="text-center text-xs text-quiet max-md:hidden">{t("quote.shortcut")}</p>
    </Card>
  );
};

type FiguresProps = { quote: Quote; asleep: boolean; stale: boolean };

const Figures = ({ quote, asleep, stale }: FiguresProps) => {
  const { t } = useTranslation();
  const { eta_seconds: eta, compute_seconds: compute } = quote;
  return (
    <dl className={cn("grid grid-cols-2 gap-3 transition-opacity", stale && "opacity-55")}>
      <Figure
        icon={<Coins />}
        label={t("quote.cost")}
        value={quote.cost_usd == null ? t("create.figures.noPrice") : usd(quote.cost_usd)}
        large
      />
      <Figure icon={<Timer />} label={t("quote.compute")} value={span(quote.compute_seconds)} large />
      <Figure
        icon={<Hourglass />}
        label={t("quote.wait")}
        value={eta == null ? "—" : `≈ ${span(Math.max(0, eta - compute))}`}
        note={asleep ? t("quote.asleep") : undefined}
      />
      <Figure icon={<CalendarClock />} label={t("quote.finish")} value={eta == null ? "—" : `≈ ${clock(Date.now() / 1000 + eta)}`} />
      <div className="numbers col-span-2 text-xs text-quiet">
        {t("quote.on", { slot: quote.slot, size: quote.size.replace("x", " × "), frames: quote.num_frames })}
      </div>
    </dl>
  );
};

type FigureProps = { icon: ReactNode; label: string; value: string; note?: string | undefined; large?: boolean };

const Figure = ({ icon, label, value, note, large }: FigureProps) => (
  <div className="rounded-xl bg-raised p-3">
    <dt className="flex items-center gap-1.5 text-xs text-quiet [&_svg]:size-3.5">
      {icon}
      {label}
    </dt>
    <dd className={cn("numbers mt-1 font-semibold tracking-tight", large ? "text-xl" : "text-base")}>{value}</dd>
    {note && <dd className="mt-0.5 text-xs text-quiet">{note}</dd>}
  </div>
);

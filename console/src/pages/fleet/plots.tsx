import { format } from "date-fns";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Scatter, ScatterChart, Tooltip, XAxis, YAxis } from "recharts";
import { $api, type Schemas } from "@/api/client";
import { Problem } from "@/components/problem";
import { Card, CardTitle, Skeleton } from "@/components/ui/display";
import { Segments } from "@/components/ui/inputs";
import { clock, number, percent, span, usd } from "@/lib/format";

const SPANS = ["1", "24", "168"] as const;
type Span = (typeof SPANS)[number];
type Sample = Schemas["Sample"];

/** The fleet over time, as the planner noted it each minute. */
const Plots = () => {
  const { t } = useTranslation();
  const [hours, setHours] = useState<Span>("24");
  const history = $api.useQuery(
    "get",
    "/v1/fleet/history",
    { params: { query: { hours: Number(hours) } } },
    { refetchInterval: 60_000 },
  );
  const samples = history.data?.data ?? [];
  return (
    <section aria-label={t("plots.title")} className="grid gap-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <h2 className="text-base font-semibold tracking-tight">{t("plots.title")}</h2>
        <Segments
          label={t("plots.span")}
          value={hours}
          onChange={setHours}
          choices={SPANS.map((value) => ({ value, label: t(`plots.spans.${value}`) }))}
        />
      </div>
      {history.error && <Problem error={history.error} onRetry={() => history.refetch()} />}
      {history.isPending && <Skeleton className="h-56" />}
      {history.data && (
        <div className="grid gap-4 lg:grid-cols-3">
          <Plot title={t("plots.queue")} samples={samples} value={(each) => each.backlog_s} show={span} />
          <Plot
            title={t("plots.utilisation")}
            samples={samples}
            value={(each) => (each.slots ? each.busy_slots / each.slots : 0)}
            show={percent}
            max={1}
          />
          <CostPlot />
        </div>
      )}
    </section>
  );
};

const axis = { stroke: "var(--quiet)", fontSize: 11, tickLine: false, axisLine: false } as const;
const bubble = {
  contentStyle: { background: "var(--surface)", border: "1px solid var(--line)", borderRadius: 12, fontSize: 12 },
  itemStyle: { color: "var(--ink)" },
  labelStyle: { color: "var(--quiet)" },
} as const;

type PlotProps = {
  title: string;
  samples: Sample[];
  value: (sample: Sample) => number;
  show: (value: number) => string;
  max?: number;
};

const Plot = ({ title, samples, value, show, max }: PlotProps) => {
  const { t } = useTranslation();
  const data = samples.map((sample) => ({ at: sample.at, value: value(sample) }));
  const peak = Math.max(0, ...data.map((each) => each.value));
  return (
    <Card>
      <CardTitle>{title}</CardTitle>
      <p className="numbers mb-3 text-xs text-quiet">
        {data.length ? t("plots.peak", { now: show(data.at(-1)?.value ?? 0), peak: show(peak) }) : t("plots.nothingYet")}
      </p>
      <div className="h-44" role="img" aria-label={`${title}. ${t("plots.peak", { now: show(data.at(-1)?.value ?? 0), peak: show(peak) })}`}>
        <ResponsiveContainer>
          <AreaChart data={data} margin={{ top: 4, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid stroke="var(--line)" vertical={false} />
            <XAxis dataKey="at" type="number" domain={["dataMin", "dataMax"]} tickFormatter={(at: number) => format(at * 1000, "HH:mm")} minTickGap={40} {...axis} />
            <YAxis width={72} domain={[0, max ?? "auto"]} tickFormatter={show} {...axis} />
            <Tooltip {...bubble} labelFormatter={(at) => clock(Number(at))} formatter={(each) => [show(Number(each)), title]} />
            <Area dataKey="value" type="stepAfter" stroke="var(--accent)" strokeWidth={2} fill="var(--accent)" fillOpacity={0.16} isAnimationActive={false} />
          </AreaChart>
        </ResponsiveContainer>
      </div>
    </Card>
  );
};

/** What each of the newest finished videos cost; where no price is known, how long it took. */
const CostPlot = () => {
  const { t } = useTranslation();
  const videos = $api.useQuery(
    "get",
    "/v1/videos",
    { params: { query: { status: "completed", limit: 100 } } },
    { staleTime: 30_000 },
  );
  const done = videos.data?.data ?? [];
  const priced = done.filter((video) => video.cost.actual_usd);
  const cost = priced.length > 0;
  const data = (cost ? priced : done).map((video) => ({
    at: video.completed_at ?? video.created_at,
    value: cost ? (video.cost.actual_usd ?? 0) : Object.values(video.seconds_by_phase).reduce((sum, each) => sum + each, 0),
  }));
  const mean = data.length ? data.reduce((sum, each) => sum + each.value, 0) / data.length : 0;
  const show = cost ? usd : span;
  const title = cost ? t("plots.cost") : t("plots.seconds");
  const words = data.length
    ? t("plots.mean", { mean: show(mean), count: data.length, shown: number(data.length) })
    : t("plots.nothingYet");
  return (
    <Card>
      <CardTitle>{title}</CardTitle>
      <p className="numbers mb-3 text-xs text-quiet">{words}</p>
      <div className="h-44" role="img" aria-label={`${title}. ${words}`}>
        <ResponsiveContainer>
          <ScatterChart margin={{ top: 4, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid stroke="var(--line)" vertical={false} />
            <XAxis dataKey="at" type="number" domain={["dataMin", "dataMax"]} tickFormatter={(at: number) => format(at * 1000, "d/M HH:mm")} minTickGap={40} {...axis} />
            <YAxis dataKey="value" type="number" width={72} domain={[0, "auto"]} tickFormatter={show} {...axis} />
            <Tooltip {...bubble} formatter={(each, name) => (name === "at" ? [clock(Number(each)), ""] : [show(Number(each)), title])} />
            <Scatter data={data} fill="var(--accent)" isAnimationActive={false} />
          </ScatterChart>
        </ResponsiveContainer>
      </div>
    </Card>
  );
};

export default Plots;

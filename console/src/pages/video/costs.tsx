import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { Card, CardTitle } from "@/components/ui/display";
import { percent, span, usd } from "@/lib/format";

const SHADES = ["bg-accent", "bg-info", "bg-good", "bg-warn", "bg-bad", "bg-control", "bg-quiet"];
const ORDER = ["load", "encode", "train", "denoise", "decode", "encode_video", "upload"] as const;
type Phase = (typeof ORDER)[number];
const isPhase = (name: string): name is Phase => (ORDER as readonly string[]).includes(name);

/** What was predicted, what it came to, and what of it each phase took: money follows the seconds of the slot. */
export const Costs = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const { estimated_usd: estimated, actual_usd: actual } = video.cost;
  const phases = ORDER.filter((phase) => (video.seconds_by_phase[phase] ?? 0) > 0).map((phase) => ({
    phase,
    seconds: video.seconds_by_phase[phase] ?? 0,
  }));
  const others = Object.entries(video.seconds_by_phase).filter(([name]) => !isPhase(name));
  const total = Object.values(video.seconds_by_phase).reduce((sum, each) => sum + each, 0);
  return (
    <Card aria-label={t("costs.title")}>
      <CardTitle className="mb-4">{t("costs.title")}</CardTitle>
      <dl className="numbers grid grid-cols-2 gap-3 text-sm">
        <div className="rounded-xl bg-raised p-3">
          <dt className="text-xs text-quiet">{t("costs.estimated")}</dt>
          <dd className="mt-0.5 text-lg font-semibold">{estimated == null ? t("costs.none") : usd(estimated)}</dd>
        </div>
        <div className="rounded-xl bg-raised p-3">
          <dt className="text-xs text-quiet">{t("costs.actual")}</dt>
          <dd className="mt-0.5 text-lg font-semibold">{actual == null ? "—" : usd(actual)}</dd>
        </div>
      </dl>
      {total > 0 && (
        <>
          <div aria-hidden className="mt-5 flex h-2.5 gap-px overflow-hidden rounded-full">
            {phases.map(({ phase, seconds }) => (
              <div
                key={phase}
                className={SHADES[ORDER.indexOf(phase)]}
                style={{ width: `${(100 * seconds) / total}%`, minWidth: 2 }}
              />
            ))}
          </div>
          <table className="numbers mt-3 w-full text-sm">
            <caption className="sr-only">{t("costs.byPhase")}</caption>
            <tbody>
              {phases.map(({ phase, seconds }) => (
                <tr key={phase}>
                  <th scope="row" className="py-1 text-left font-normal">
                    <span aria-hidden className={`mr-2 inline-block size-2 rounded-full ${SHADES[ORDER.indexOf(phase)]}`} />
                    {t(`costs.phases.${phase}`)}
                  </th>
                  <td className="text-right whitespace-nowrap text-quiet">{span(seconds)}</td>
                  <td className="w-14 text-right text-quiet">{percent(seconds / total)}</td>
                  {actual != null && <td className="w-20 text-right">{usd((actual * seconds) / total)}</td>}
                </tr>
              ))}
              {others.map(([name, seconds]) => (
                <tr key={name}>
                  <th scope="row" className="py-1 pl-4 text-left font-normal">
                    {name}
                  </th>
                  <td className="text-right text-quiet">{span(seconds)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </Card>
  );
};

import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { Problem } from "@/components/problem";
import { Bar, Skeleton } from "@/components/ui/display";
import { moment, number, usd } from "@/lib/format";
import { Tile } from "@/pages/fleet/tile";

/** What a key has spent and done: its account, and its trail. */
export const KeyUsage = ({ keyId, budget }: { keyId: string; budget: number | null }) => {
  const { t } = useTranslation();
  const path = { params: { path: { key_id: keyId } } };
  const key = $api.useQuery("get", "/v1/keys/{key_id}", path);
  const trail = $api.useQuery("get", "/v1/keys/{key_id}/audit", path);
  const usage = key.data?.usage;
  const error = key.error ?? trail.error;
  if (error) return <Problem error={error} />;
  if (!usage) return <Skeleton className="mt-4 h-24" />;
  return (
    <div className="mt-4 grid gap-4 border-t pt-4">
      <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Tile label={t("keys.spent", { month: usage.month })} value={usd(usage.spent_usd)} />
        <Tile label={t("keys.reserved")} value={usd(usage.reserved_usd)} />
        <Tile label={t("keys.active")} value={number(usage.active_jobs)} />
        <Tile label={t("keys.today")} value={number(usage.jobs_today)} />
      </dl>
      {budget != null && budget > 0 && (
        <Bar value={(usage.spent_usd + usage.reserved_usd) / budget} label={t("keys.budgetUsed")} tone="good" />
      )}
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={t("keys.trail")}>
        <table className="numbers w-full text-sm">
          <caption className="mb-2 text-left text-xs text-quiet">{t("keys.trail")}</caption>
          <tbody className="divide-y">
            {trail.data?.data.map((entry) => (
              <tr key={`${entry.at}${entry.path}`}>
                <td className="py-1.5 pr-4 whitespace-nowrap text-quiet">{moment(entry.at)}</td>
                <td className="pr-4 font-mono text-xs">
                  {entry.method} {entry.path}
                </td>
                <td className="pr-4">{entry.status}</td>
                <td className="pr-4 text-quiet">{entry.code ?? entry.resource ?? ""}</td>
                <td className="text-right text-quiet">{entry.source_ip}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {trail.data?.data.length === 0 && <p className="text-sm text-quiet">{t("keys.noTrail")}</p>}
      </div>
    </div>
  );
};

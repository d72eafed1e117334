import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { Problem } from "@/components/problem";
import { Badge, Skeleton, type Tone } from "@/components/ui/display";
import { moment, span } from "@/lib/format";

const tones: Record<"pending" | "delivered" | "failed", Tone> = { pending: "info", delivered: "good", failed: "bad" };

/** The newest deliveries of an endpoint, with every try. */
export const Deliveries = ({ webhookId }: { webhookId: string }) => {
  const { t } = useTranslation();
  const found = $api.useQuery(
    "get",
    "/v1/webhooks/{webhook_id}/deliveries",
    { params: { path: { webhook_id: webhookId } } },
    { refetchInterval: 5_000 },
  );
  if (found.error) return <Problem error={found.error} />;
  if (!found.data) return <Skeleton className="h-24" />;
  if (found.data.data.length === 0) return <p className="text-sm text-quiet">{t("webhooks.noDeliveries")}</p>;
  return (
    <ul className="divide-y border-t text-sm">
      {found.data.data.map((delivery) => (
        <li key={delivery.id} className="grid gap-1 py-2.5">
          <div className="flex flex-wrap items-center gap-2">
            <Badge tone={tones[delivery.status]}>{t(`webhooks.status.${delivery.status}`)}</Badge>
            <span>{delivery.event_type}</span>
            <Link
              to="/videos/$videoId"
              params={{ videoId: delivery.video_id }}
              className="font-mono text-xs text-accent underline underline-offset-2"
            >
              {delivery.video_id}
            </Link>
            <time className="ml-auto text-xs text-quiet">{moment(delivery.created_at)}</time>
          </div>
          {delivery.tries.map((one) => (
            <p key={one.at} className="numbers pl-1 text-xs text-quiet">
              {moment(one.at)} · {span(one.seconds)} · {one.status_code ?? one.error}
            </p>
          ))}
          {delivery.reason && <p className="text-xs text-bad">{delivery.reason}</p>}
        </li>
      ))}
    </ul>
  );
};

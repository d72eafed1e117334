import { Link } from "@tanstack/react-router";
import { RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/display";
import { isRepeatable, useAgain } from "@/pages/video/use-again";

const KNOWN = [
  "out_of_memory",
  "capacity_timeout",
  "deadline_exceeded",
  "worker_crashed",
  "machine_failed",
  "invalid_image",
] as const;
type Known = (typeof KNOWN)[number];
const isKnown = (code: string): code is Known => (KNOWN as readonly string[]).includes(code);

/** Why a video failed, and what to do about it. */
export const Failure = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const code = video.error?.code ?? "";
  const advice = isKnown(code) ? t(`failure.advice.${code}`) : t("failure.advice.other");
  return (
    <Card role="alert" aria-label={t("failure.title")} className="grid gap-4 border-bad/30 bg-bad-soft p-6">
      <div>
        <h2 className="text-lg font-semibold text-bad">{t("failure.title")}</h2>
        <p className="mt-1 break-words">{video.error?.message}</p>
      </div>
      <div>
        <h3 className="text-sm font-semibold">{t("failure.what")}</h3>
        <p className="mt-0.5 text-sm">{advice}</p>
      </div>
      <div className="flex flex-wrap items-center gap-2">
        {isRepeatable(video) ? <Again video={video} /> : <Anew video={video} />}
        <Button asChild>
          <Link to="/fleet">{t("nav.fleet")}</Link>
        </Button>
        <CopyButton
          label={t("failure.copy")}
          text={JSON.stringify({ id: video.id, trace_id: video.trace_id, error: video.error }, null, 2)}
        />
      </div>
    </Card>
  );
};

const Again = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const again = useAgain(video);
  return (
    <Button look="primary" disabled={again.isPending} onClick={() => again.mutate()}>
      <RotateCcw />
      {t("failure.again")}
    </Button>
  );
};

const KINDS = { remix: "remix", edit: "edit", extension: "extend" } as const;

/** The way to where such a video is asked for: with its source, its picture, or its character's pictures. */
const Anew = ({ video: { character_id: characterId, origin } }: { video: Video }) => {
  const { t } = useTranslation();
  const source = origin?.video_id && { from: origin.video_id, as: KINDS[origin.kind] };
  return (
    <Button asChild look="primary">
      {characterId == null ? (
        <Link to="/" search={source || {}}>
          <RotateCcw />
          {t("failure.anew")}
        </Link>
      ) : (
        <Link to="/characters">
          <RotateCcw />
          {t("failure.anew")}
        </Link>
      )}
    </Button>
  );
};

import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { useContent } from "@/api/queries";
import { Problem } from "@/components/problem";
import { Notice, Skeleton } from "@/components/ui/display";

const STILL = window.matchMedia("(prefers-reduced-motion: reduce)");

export const Player = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const file = useContent(video.id, "video");
  const still = useContent(video.id, "thumbnail");
  const [width = 16, height = 9] = [video.outputs?.width, video.outputs?.height];
  if (file.error) return <Problem error={file.error} onRetry={() => file.refetch()} />;
  if (!file.data) return <Skeleton className="aspect-video rounded-2xl" />;
  if (video.output.codec === "prores") return <Notice tone="info" title={t("video.prores")} />;
  return (
    <div className="grid place-items-center overflow-hidden rounded-2xl bg-black">
      <video
        key={video.id}
        src={file.data.url}
        poster={still.data?.url}
        controls
        loop
        autoPlay={!STILL.matches}
        muted
        playsInline
        preload="metadata"
        aria-label={video.prompt}
        className="max-h-[70dvh] w-full object-contain"
        style={{ aspectRatio: `${width} / ${height}` }}
        // Links last an hour: a page that stood open for longer takes a new one.
        onError={() => file.refetch()}
      />
    </div>
  );
};

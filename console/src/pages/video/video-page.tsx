import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import { useTranslation } from "react-i18next";
import { hasEnded, useVideo } from "@/api/queries";
import { Problem } from "@/components/problem";
import { StateBadge } from "@/components/state-badge";
import { Skeleton } from "@/components/ui/display";
import { moment } from "@/lib/format";
import { Actions } from "@/pages/video/actions";
import { Attempts } from "@/pages/video/attempts";
import { Costs } from "@/pages/video/costs";
import { Failure } from "@/pages/video/failure";
import { Player } from "@/pages/video/player";
import { ProgressCard } from "@/pages/video/progress-card";
import { RequestFields } from "@/pages/video/request-fields";

const route = getRouteApi("/videos/$videoId");

export const VideoPage = () => {
  const { t } = useTranslation();
  const { videoId } = route.useParams();
  const { data: video, error, refetch } = useVideo(videoId);
  return (
    <div className="mx-auto w-full max-w-[1400px] px-4 py-6 sm:px-8">
      <Link to="/videos" className="mb-4 inline-flex items-center gap-1.5 text-sm text-quiet hover:text-ink">
        <ArrowLeft className="size-4" />
        {t("nav.gallery")}
      </Link>
      {error && !video && <Problem error={error} onRetry={() => refetch()} />}
      {!video && !error && <Skeleton className="h-96" />}
      {video && (
        <>
          <header className="mb-6 flex flex-wrap items-start justify-between gap-4">
            <div className="min-w-0 flex-1 basis-96">
              <h1 className="line-clamp-3 text-xl leading-snug font-semibold tracking-tight">
                {video.prompt || video.shots?.[0]?.prompt || video.id}
              </h1>
              <p className="mt-2 flex flex-wrap items-center gap-3 text-sm text-quiet">
                <StateBadge state={video.status} />
                <span>{video.model}</span>
                <span>{moment(video.created_at)}</span>
              </p>
            </div>
            <Actions video={video} />
          </header>
          <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
            <div className="grid min-w-0 gap-6">
              {video.status === "completed" && <Player video={video} />}
              {video.status === "failed" && <Failure video={video} />}
              {!hasEnded(video.status) && <ProgressCard video={video} />}
              <Attempts video={video} />
            </div>
            <div className="grid gap-6">
              <Costs video={video} />
              <RequestFields video={video} />
            </div>
          </div>
        </>
      )}
    </div>
  );
};

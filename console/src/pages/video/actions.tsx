import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { CircleStop, Download, FastForward, Pencil, Shuffle, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { toast } from "sonner";
import { api, type Video } from "@/api/client";
import { hasEnded } from "@/api/queries";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/overlay";
import { save } from "@/lib/save";

/** What can be done with a video in its state. */
export const Actions = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const client = useQueryClient();
  const path = { params: { path: { video_id: video.id } } };
  const download = useMutation({ mutationFn: () => save(video.id) });
  const cancel = useMutation({
    mutationFn: () => api.POST("/v1/videos/{video_id}/cancel", path),
    onSuccess: () => client.invalidateQueries({ queryKey: ["get", "/v1/videos/{video_id}"] }),
  });
  const remove = useMutation({
    mutationFn: () => api.DELETE("/v1/videos/{video_id}", path),
    onSuccess: () => {
      toast.success(t("gallery.deleted", { count: 1 }));
      client.removeQueries({ queryKey: ["get", "/v1/videos", "gallery"] });
      void navigate({ to: "/videos" });
    },
  });
  return (
    <div className="flex flex-wrap items-center gap-2">
      {video.status === "completed" && (
        <>
          <Button look="primary" disabled={download.isPending} onClick={() => download.mutate()}>
            <Download />
            {t("common.download")}
          </Button>
          <Button asChild>
            <Link to="/" search={{ from: video.id, as: "remix" }}>
              <Shuffle />
              {t("derive.remix.action")}
            </Link>
          </Button>
          <Button asChild>
            <Link to="/" search={{ from: video.id, as: "extend" }}>
              <FastForward />
              {t("derive.extend.action")}
            </Link>
          </Button>
          <Button asChild>
            <Link to="/" search={{ from: video.id, as: "edit" }}>
              <Pencil />
              {t("derive.edit.action")}
            </Link>
          </Button>
        </>
      )}
      {!hasEnded(video.status) && (
        <Button look="danger" disabled={cancel.isPending || video.cancel_requested} onClick={() => cancel.mutate()}>
          <CircleStop />
          {video.cancel_requested ? t("video.cancelling") : t("video.cancel")}
        </Button>
      )}
      <Confirm
        trigger={
          <Button look="ghost" size="icon" aria-label={t("common.delete")} disabled={remove.isPending}>
            <Trash2 />
          </Button>
        }
        title={t("gallery.deleteTitle", { count: 1 })}
        hint={t("gallery.deleteHint")}
        action={t("common.delete")}
        onConfirm={() => remove.mutate()}
      />
    </div>
  );
};

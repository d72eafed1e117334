import { useMutation } from "@tanstack/react-query";
import { Download, Trash2, X } from "lucide-react";
import { useTranslation } from "react-i18next";
import { toast } from "sonner";
import { api, type Video } from "@/api/client";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/overlay";
import { eachOf } from "@/lib/each-of";
import { saveAll } from "@/lib/save";

type Props = {
  videos: Video[];
  onAll: () => void;
  onNone: () => void;
  onGone: (ids: ReadonlySet<string>) => void;
};

/** What can be done with the chosen videos together. */
export const SelectionBar = ({ videos, onAll, onNone, onGone }: Props) => {
  const { t } = useTranslation();
  const finished = videos.filter(({ status }) => status === "completed");
  const download = useMutation({ mutationFn: () => saveAll(finished.map(({ id }) => id)) });
  const remove = useMutation({
    mutationFn: async () => {
      const gone = new Set<string>();
      await eachOf(videos, 4, async ({ id }) => {
        await api.DELETE("/v1/videos/{video_id}", { params: { path: { video_id: id } } });
        gone.add(id);
      }).finally(() => onGone(gone));
      return gone.size;
    },
    onSuccess: (count) => {
      onNone();
      toast.success(t("gallery.deleted", { count }));
    },
  });
  return (
    <div
      role="toolbar"
      aria-label={t("gallery.selection")}
      className="sticky bottom-4 z-10 mx-auto mt-6 flex flex-wrap items-center gap-2 rounded-2xl border bg-surface p-2 pl-4 shadow-2xl"
    >
      <span className="numbers text-sm font-medium">{t("gallery.selected", { count: videos.length })}</span>
      <Button look="ghost" size="small" onClick={onAll}>
        {t("gallery.all")}
      </Button>
      <Button size="small" disabled={finished.length === 0 || download.isPending} onClick={() => download.mutate()}>
        <Download />
        {download.isPending ? t("gallery.packing") : t("common.download")}
      </Button>
      <Confirm
        trigger={
          <Button look="danger" size="small" disabled={remove.isPending}>
            <Trash2 />
            {t("common.delete")}
          </Button>
        }
        title={t("gallery.deleteTitle", { count: videos.length })}
        hint={t("gallery.deleteHint")}
        action={t("common.delete")}
        onConfirm={() => remove.mutate()}
      />
      <Button look="ghost" size="icon" aria-label={t("gallery.noneSelected")} onClick={onNone}>
        <X />
      </Button>
    </div>
  );
};

import { useMutation } from "@tanstack/react-query";
import { ImageUp, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { asApiError } from "@/api/errors";
import { IMAGE_TYPES, upload } from "@/api/uploads";
import { DropArea } from "@/components/drop-area";
import { Button } from "@/components/ui/button";
import { explain } from "@/lib/explain";
import type { Picture } from "@/pages/create/draft";

type Props = { picture: Picture | null; error?: string | undefined; onChange: (picture: Picture | null) => void };

/** Where the first frame is dropped, pasted or chosen; it is uploaded at once, so that quotes need not carry it. */
export const ImageDrop = ({ picture, error, onChange }: Props) => {
  const { t } = useTranslation();
  const sending = useMutation({
    meta: { shown: true },
    mutationFn: upload,
    onSuccess: (uploadId, file) => onChange({ uploadId, name: file.name, preview: URL.createObjectURL(file) }),
  });
  const [refused, setRefused] = useState(false);
  const failed = sending.error && explain(asApiError(sending.error), t);
  const problem = error ?? (refused ? t("create.image.wrongType") : failed && `${failed.title}: ${failed.detail}`);
  if (picture) {
    return (
      <div className="flex items-center gap-4 rounded-2xl border bg-surface p-3">
        <img src={picture.preview} alt={t("create.image.alt")} className="max-h-32 rounded-lg" />
        <div className="min-w-0 flex-1">
          <p className="truncate text-sm font-medium">{picture.name}</p>
          <p className="text-xs text-quiet">{t("create.image.kept")}</p>
          {error && (
            <p role="alert" className="mt-1 text-sm text-bad">
              {error}
            </p>
          )}
        </div>
        <Button look="ghost" size="icon" aria-label={t("create.image.remove")} onClick={() => onChange(null)}>
          <Trash2 />
        </Button>
      </div>
    );
  }
  return (
    <div>
      <DropArea
        accept={IMAGE_TYPES}
        icon={<ImageUp aria-hidden />}
        title={sending.isPending ? t("create.image.sending") : t("create.image.drop")}
        hint={t("create.image.kinds")}
        onFiles={([file]) => {
          setRefused(false);
          if (file) sending.mutate(file);
        }}
        onRefused={() => setRefused(true)}
      />
      {problem && (
        <p role="alert" className="mt-1.5 text-sm text-bad">
          {problem}
        </p>
      )}
    </div>
  );
};

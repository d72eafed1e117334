import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { $api, api } from "@/api/client";
import { useContent } from "@/api/queries";
import { Problem } from "@/components/problem";
import { Button } from "@/components/ui/button";
import { Skeleton } from "@/components/ui/display";
import { Checkbox } from "@/components/ui/inputs";

/** Fewer are refused by the API (`MIN_IMAGES` in jobs/character.py). */
const LEAST_ACCEPTED = 5;

/** The pictures that a description gave: those that are like the character are accepted, and it is learned from them. */
export const PicturesReview = ({ characterId }: { characterId: string }) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const params = { path: { character_id: characterId } };
  const pictures = $api.useQuery("get", "/v1/videos/characters/{character_id}/images", { params });
  const reload = () => client.invalidateQueries({ queryKey: ["get", "/v1/videos/characters"] });
  const review = useMutation({
    mutationFn: ({ id, like }: { id: string; like: boolean }) =>
      api.POST("/v1/videos/characters/{character_id}/images", {
        params,
        body: like ? { accept: [id] } : { reject: [id] },
      }),
    onSuccess: () => pictures.refetch(),
  });
  const train = useMutation({
    mutationFn: () => api.POST("/v1/videos/characters/{character_id}/train", { params, body: {} }),
    onSuccess: reload,
  });
  if (pictures.error) return <Problem error={pictures.error} onRetry={() => pictures.refetch()} />;
  if (!pictures.data) return <Skeleton className="h-24" />;
  const ready = pictures.data.data.filter((picture) => picture.ready);
  const accepted = ready.filter((picture) => picture.review === "accepted").length;
  return (
    <div className="grid gap-3">
      <ul className="grid grid-cols-4 gap-2">
        {ready.map((picture, index) => (
          <li key={picture.id} className="relative aspect-square overflow-hidden rounded-lg bg-raised">
            <Picture videoId={picture.id} label={t("characters.picture", { n: index + 1 })} />
            <Checkbox
              label={`${t("characters.picture", { n: index + 1 })}: ${t("characters.accept")}`}
              checked={picture.review === "accepted"}
              onChange={(like) => review.mutate({ id: picture.id, like })}
              className="absolute top-1.5 left-1.5 shadow"
            />
          </li>
        ))}
      </ul>
      <div className="flex flex-wrap items-center gap-3">
        <Button
          look="primary"
          size="small"
          disabled={accepted < LEAST_ACCEPTED || train.isPending}
          onClick={() => train.mutate()}
        >
          {t("characters.train")}
        </Button>
        <p className="text-sm text-quiet" aria-live="polite">
          {t("characters.acceptedOf", { accepted, least: LEAST_ACCEPTED })}
        </p>
      </div>
    </div>
  );
};

/** A picture is a frame of the video whose id it has. */
const Picture = ({ videoId, label }: { videoId: string; label: string }) => {
  const still = useContent(videoId, "thumbnail");
  return still.data ? <img src={still.data.url} alt={label} className="size-full object-cover" /> : null;
};

import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus, Trash2, Users } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api, type Schemas } from "@/api/client";
import { useCharacters } from "@/api/queries";
import { CopyButton } from "@/components/copy-button";
import { Problem } from "@/components/problem";
import { Button } from "@/components/ui/button";
import { Badge, Bar, Card, Empty, Page, Skeleton, type Tone } from "@/components/ui/display";
import { Confirm, Modal } from "@/components/ui/overlay";
import { ago } from "@/lib/format";
import { CharacterForm } from "@/pages/access/character-form";
import { PicturesReview } from "@/pages/access/pictures-review";

type Character = Schemas["CharacterView"];
const tones: Record<Character["status"], Tone> = {
  generating: "info",
  review: "warn",
  queued: "info",
  training: "accent",
  ready: "good",
  failed: "bad",
};

export const CharactersPage = () => {
  const { t } = useTranslation();
  const characters = useCharacters();
  const [making, setMaking] = useState(false);
  const make = (
    <Button look="primary" onClick={() => setMaking(true)}>
      <Plus />
      {t("characters.make")}
    </Button>
  );
  return (
    <Page title={t("characters.title")} hint={t("characters.hint")} aside={characters.data && make}>
      {characters.error && <Problem error={characters.error} onRetry={() => characters.refetch()} />}
      {characters.isPending && <Skeleton className="h-48" />}
      {characters.data?.data.length === 0 && (
        <Empty icon={<Users />} title={t("characters.none")} hint={t("characters.noneHint")} />
      )}
      <ul className="grid gap-3 lg:grid-cols-2">
        {characters.data?.data.map((character) => (
          <li key={character.id}>
            <CharacterCard character={character} />
          </li>
        ))}
      </ul>
      <Modal open={making} onOpen={setMaking} title={t("characters.make")} hint={t("characters.makeHint")}>
        <CharacterForm onDone={() => setMaking(false)} />
      </Modal>
    </Page>
  );
};

const CharacterCard = ({ character }: { character: Character }) => {
  const { t } = useTranslation();
  const client = useQueryClient();
  const newest = character.versions.at(-1);
  const remove = useMutation({
    mutationFn: () =>
      api.DELETE("/v1/videos/characters/{character_id}", { params: { path: { character_id: character.id } } }),
    onSuccess: () => client.invalidateQueries({ queryKey: ["get", "/v1/videos/characters"] }),
  });
  return (
    <Card className="grid h-full gap-2">
      <div className="flex items-start justify-between gap-3">
        <div className="flex min-w-0 items-center gap-3">
          <span aria-hidden className="grid size-11 shrink-0 place-items-center rounded-full bg-accent-soft font-semibold text-accent">
            {[...character.name][0]?.toUpperCase()}
          </span>
          <div className="min-w-0">
            <h2 className="truncate font-medium">{character.name}</h2>
            <p className="text-xs text-quiet">
              {character.trigger} · {character.model} · {character.has_video ? t("characters.fromVideo") : t("characters.fromImages", { count: character.num_images })} ·{" "}
              {ago(character.created_at)}
            </p>
          </div>
        </div>
        <Badge tone={tones[character.status]}>{t(`characters.states.${character.status}`)}</Badge>
      </div>
      <p className="text-sm text-quiet">{t(`characters.details.${character.status}`)}</p>
      {newest && character.status === "training" && (
        <div className="grid gap-1.5">
          <Bar value={character.progress / 100} label={t("characters.progress", { name: character.name })} />
          <p className="numbers text-xs text-quiet">
            {t("characters.steps", { step: newest.step, total: newest.total_steps })}
          </p>
        </div>
      )}
      {character.status === "review" && <PicturesReview characterId={character.id} />}
      {newest && (
        <Link
          to="/videos/$videoId"
          params={{ videoId: newest.video_id }}
          className="text-sm text-accent underline underline-offset-2"
        >
          {t("characters.video")}
        </Link>
      )}
      {character.error && <p className="text-sm text-bad">{character.error.message}</p>}
      <div className="mt-auto flex items-center justify-between gap-2">
        <span className="flex min-w-0 items-center font-mono text-xs text-quiet">
          <span className="truncate">{character.lora ?? character.id}</span>
          <CopyButton text={character.lora ?? character.id} />
        </span>
        <Confirm
          trigger={
            <Button look="ghost" size="icon" aria-label={t("common.delete")}>
              <Trash2 />
            </Button>
          }
          title={t("characters.deleteTitle", { name: character.name })}
          hint={t("characters.deleteHint")}
          action={t("common.delete")}
          onConfirm={() => remove.mutate()}
        />
      </div>
    </Card>
  );
};

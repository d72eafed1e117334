import { useTranslation } from "react-i18next";
import type { State } from "@/api/client";
import { Badge, type Tone } from "@/components/ui/display";

const tones: Record<State, Tone> = {
  queued: "info",
  in_progress: "accent",
  completed: "good",
  failed: "bad",
  cancelled: "neutral",
};

export const StateBadge = ({ state }: { state: State }) => {
  const { t } = useTranslation();
  return (
    <Badge tone={tones[state]}>
      <span aria-hidden className={`size-1.5 rounded-full bg-current ${state === "in_progress" ? "animate-pulse" : ""}`} />
      {t(`states.${state}`)}
    </Badge>
  );
};

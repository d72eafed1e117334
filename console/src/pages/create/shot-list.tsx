import { closestCenter, DndContext, type DragEndEvent, KeyboardSensor, PointerSensor, useSensor, useSensors } from "@dnd-kit/core";
import { arrayMove, SortableContext, sortableKeyboardCoordinates, useSortable, verticalListSortingStrategy } from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { GripVertical, Plus, Trash2 } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Model } from "@/api/client";
import { Button } from "@/components/ui/button";
import { Field, Textarea } from "@/components/ui/field";
import { Segments, Slider } from "@/components/ui/inputs";
import { span } from "@/lib/format";
import { type Draft, fitted, newShot, type Shot, shotRule } from "@/pages/create/draft";
import { ShotTimeline } from "@/pages/create/shot-timeline";

type RowProps = {
  shot: Shot;
  index: number;
  model: Model;
  error: string | undefined;
  onChange: (change: Partial<Shot>) => void;
  onRemove: (() => void) | undefined;
};

const ShotRow = ({ shot, index, model, error, onChange, onRemove }: RowProps) => {
  const { t } = useTranslation();
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition } = useSortable({ id: shot.id });
  const rule = shotRule(model, index);
  const length = span(shot.frames / model.fps);
  const name = t("create.shots.nth", { n: index + 1 });
  return (
    <li
      ref={setNodeRef}
      style={{ transform: CSS.Translate.toString(transform), transition }}
      className="flex gap-2 rounded-2xl border bg-surface p-3"
    >
      <button
        ref={setActivatorNodeRef}
        {...attributes}
        {...listeners}
        type="button"
        aria-label={t("create.shots.move", { n: index + 1 })}
        className="cursor-grab touch-none self-start rounded-md p-1 text-quiet hover:bg-raised"
      >
        <GripVertical className="size-4" />
      </button>
      <div className="grid flex-1 gap-2">
        <Field label={name} aside={`${shot.frames} · ${length}`} error={error ?? null}>
          {(control) => (
            <Textarea
              {...control}
              className="min-h-16"
              value={shot.prompt}
              placeholder={t("create.shots.placeholder")}
              onChange={(event) => onChange({ prompt: event.target.value })}
            />
          )}
        </Field>
        <Slider
          label={t("create.shots.length", { n: index + 1 })}
          value={shot.frames}
          min={rule.min}
          max={rule.max}
          step={rule.step}
          text={length}
          onChange={(frames) => onChange({ frames })}
        />
      </div>
      {onRemove && (
        <Button look="ghost" size="icon" aria-label={t("create.shots.remove", { n: index + 1 })} onClick={onRemove}>
          <Trash2 />
        </Button>
      )}
    </li>
  );
};

type Props = {
  draft: Draft;
  model: Model;
  errorAt: (param: string) => string | undefined;
  onChange: (change: Partial<Draft>) => void;
};

/** The shots of a video: written, put in order by pointer or keyboard, and cut to length. */
export const ShotList = ({ draft, model, errorAt, onChange }: Props) => {
  const { t } = useTranslation();
  const { shots } = draft;
  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const change = (next: Shot[]) => onChange({ shots: fitted({ ...draft, shots: next }, model).shots });
  const dropped = ({ active, over }: DragEndEvent) => {
    const [from, to] = [active.id, over?.id].map((id) => shots.findIndex((shot) => shot.id === id));
    if (from !== undefined && to !== undefined && from >= 0 && to >= 0) change(arrayMove(shots, from, to));
  };
  return (
    <div className="grid gap-4">
      <ShotTimeline shots={shots} model={model} onChange={change} />
      <DndContext sensors={sensors} collisionDetection={closestCenter} onDragEnd={dropped}>
        <SortableContext items={shots} strategy={verticalListSortingStrategy}>
          <ol className="grid gap-2">
            {shots.map((shot, index) => (
              <ShotRow
                key={shot.id}
                shot={shot}
                index={index}
                model={model}
                error={errorAt(`shots[${index}]`)}
                onChange={(part) => change(shots.map((each) => (each.id === shot.id ? { ...each, ...part } : each)))}
                onRemove={shots.length > 1 ? () => change(shots.filter((each) => each.id !== shot.id)) : undefined}
              />
            ))}
          </ol>
        </SortableContext>
      </DndContext>
      <div className="flex flex-wrap items-center justify-between gap-3">
        <Button
          disabled={shots.length >= model.max_shots}
          onClick={() => change([...shots, newShot(model, shots.length)])}
        >
          <Plus />
          {t("create.shots.add")}
        </Button>
        {model.multi_shot === "native" ? (
          <p className="text-xs text-quiet">{t("create.shots.native")}</p>
        ) : (
          <Segments
            label={t("create.shots.continuity")}
            value={draft.continuity}
            onChange={(continuity) => onChange({ continuity })}
            choices={[
              { value: "cut", label: t("create.shots.cut") },
              { value: "chain", label: t("create.shots.chain") },
            ]}
          />
        )}
      </div>
      {errorAt("shots") && !shots.some((_, index) => errorAt(`shots[${index}]`)) && (
        <p role="alert" className="text-sm text-bad">
          {errorAt("shots")}
        </p>
      )}
    </div>
  );
};

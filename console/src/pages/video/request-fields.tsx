import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Video } from "@/api/client";
import { CopyButton } from "@/components/copy-button";
import { Card, CardTitle } from "@/components/ui/display";
import { bytes, moment, number, span } from "@/lib/format";
import { requestOf } from "@/pages/video/use-again";

/** Everything that was asked for, and where it came from. */
export const RequestFields = ({ video }: { video: Video }) => {
  const { t } = useTranslation();
  const { outputs, output, shots = [], loras = [] } = video;
  return (
    <Card aria-label={t("fields.title")}>
      <div className="mb-3 flex items-center justify-between">
        <CardTitle>{t("fields.title")}</CardTitle>
        <CopyButton label={t("fields.copy")} text={JSON.stringify(requestOf(video), null, 2)} />
      </div>
      <dl className="divide-y text-sm">
        <Row name={t("fields.id")}>
          <span className="font-mono text-xs break-all">{video.id}</span>
        </Row>
        <Row name={t("create.model")}>{video.model}</Row>
        <Row name={t("create.size")}>{video.size.replace("x", " × ")}</Row>
        <Row name={t("create.length")}>
          {span(Number(video.seconds))} · {t("create.frames", { count: video.num_frames })} · {video.fps} fps
        </Row>
        <Row name={t("create.seed")}>{String(video.seed)}</Row>
        <Row name={t("create.steps")}>{number(video.num_inference_steps)}</Row>
        <Row name={t("create.guidance")}>
          {[video.guidance_scale, video.guidance_scale_2].filter((each) => each != null).join(" / ")}
        </Row>
        {video.scheduler && <Row name={t("create.scheduler")}>{video.scheduler}</Row>}
        {video.flow_shift != null && <Row name={t("create.flowShift")}>{number(video.flow_shift, 2)}</Row>}
        {video.negative_prompt && <Row name={t("create.negative")}>{video.negative_prompt}</Row>}
        {shots.length > 0 && (
          <Row name={t("create.modes.shots")}>
            <ol className="list-decimal pl-4">
              {shots.map((shot, index) => (
                <li key={index}>
                  {shot.prompt} {shot.num_frames != null && <span className="text-quiet">({shot.num_frames})</span>}
                </li>
              ))}
            </ol>
          </Row>
        )}
        {video.has_image && <Row name={t("create.modes.image")}>{t("fields.withImage")}</Row>}
        {loras.length > 0 && (
          <Row name="LoRA">{loras.map(({ name, scale }) => `${name} × ${scale}`).join(", ")}</Row>
        )}
        {video.origin && (
          <Row name={t("fields.origin")}>
            {t(`fields.origins.${video.origin.kind}`)}{" "}
            {video.origin.video_id && (
              <Link
                to="/videos/$videoId"
                params={{ videoId: video.origin.video_id }}
                className="text-accent underline underline-offset-2"
              >
                {t("derive.back")}
              </Link>
            )}
          </Row>
        )}
        <Row name={t("create.priority")}>{t(`create.priorities.${video.priority as "low" | "normal" | "high"}`)}</Row>
        <Row name={t("create.codec")}>
          {[t(`create.codecs.${output.codec ?? "h264"}`), factor(output.upscale), factor(output.interpolate)].filter(Boolean).join(" · ")}
        </Row>
        {video.deadline != null && <Row name={t("fields.deadline")}>{moment(video.deadline)}</Row>}
        {Object.entries(video.metadata).map(([name, value]) => (
          <Row key={name} name={name}>
            {value}
          </Row>
        ))}
        {outputs && (
          <Row name={t("fields.file")}>
            {outputs.width} × {outputs.height} · {bytes(outputs.bytes)}
          </Row>
        )}
        {video.trace_id && (
          <Row name={t("fields.trace")}>
            <span className="font-mono text-xs break-all">{video.trace_id}</span>
          </Row>
        )}
      </dl>
    </Card>
  );
};

const factor = (value: number | undefined) => (value && value > 1 ? `× ${value}` : "");

const Row = ({ name, children }: { name: string; children: ReactNode }) => (
  <div className="grid grid-cols-[7.5rem_minmax(0,1fr)] gap-3 py-2">
    <dt className="text-quiet">{name}</dt>
    <dd className="break-words">{children}</dd>
  </div>
);
